"""The machine's plain copy rate, with as many threads as processors."""

import concurrent.futures

import numpy as np

from benchmarks.harness import timing
from benchmarks.harness.labels import Labels

LABELS = Labels("ours/ceiling/copy_bandwidth", "ceiling")


def measure(threads: int, repeats: int, num_mib: int) -> timing.Timing:
    """Bytes that are read and written a second in copying `num_mib` MiB, as 1e9."""
    source = np.ones(num_mib << 17)  # 8 bytes each
    target = np.zeros_like(source)
    pieces = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            list(pool.map(lambda piece: np.copyto(*piece), pieces))  # NumPy holds no lock while it copies

        case = timing.Case(LABELS, copy, 2 * source.nbytes)
        timed = timing.interleave([case], repeats)[LABELS.name]
    return timing.Timing(LABELS, timed.first_s, tuple(rate / 1e9 for rate in timed.rates))
