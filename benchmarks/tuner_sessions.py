"""What `benchmarks.tuner` measures: whole sessions of a model that trains in a second, their memory sampled beside."""

import pathlib
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks import results
from pipeline.data_config import SourceConfig
from tuning.session import SessionConfig
from tuning.space import Space

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

SAMPLE_SECONDS = 0.2
FEW = 4  # trials at either end whose memory is compared
BASE = {"preset": "linear", "num_validation": 500, "batch_size": 100, "precision": "float32"}


def prepared(folder: pathlib.Path) -> SourceConfig:
    """shapes100_tiny, prepared in a folder."""
    from pipeline import prepare

    source = SourceConfig(dataset="shapes100_tiny", data_dir=str(folder / "data"))
    prepare.prepare(source)
    return source


def _choose(hp: "HyperParameters") -> dict[str, Any]:
    return {
        "learning_rate": hp.Choice("learning_rate", [1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3]),
        "coarse_loss_weight": hp.Choice("coarse_loss_weight", [0.1, 0.25, 0.5, 1.0, 2.0]),
        "pixel_scaling": hp.Choice("pixel_scaling", ["standardise", "unit"]),
    }


def run(path: pathlib.Path, source: SourceConfig, trials: int, workers: int) -> dict[str, Any]:
    """Seconds, records, and (trials ended, MiB) at each moment of a session."""
    from tuning import search, session

    config = SessionConfig(space="measured", tuner="grid", max_trials=trials, max_epochs=4, workers=workers)
    with session.claim(path, config, Space("measured", _choose, BASE), source) as found:
        over, samples = threading.Event(), list[tuple[int, float]]()

        def sample() -> None:
            while not over.wait(SAMPLE_SECONDS):
                samples.append((len(list(path.glob("trials/*.json"))), _memory_mib()))

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        began = time.perf_counter()
        search.run(found)
        seconds = time.perf_counter() - began
        over.set()
        sampler.join()
        return {"seconds": seconds, "records": found.records(), "samples": samples}


def _memory_mib() -> float:
    """Resident memory of this process and of what it has started."""
    total, own = 0, psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def rows(measured: dict[str, Any], workers: int, earlier: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The session's rows; overhead and memory of the first one alone, whose trials have the machine to themselves."""
    records, samples = measured["records"], measured["samples"]
    per_hour = 3600 * len(records) / measured["seconds"]
    row = results.single(f"ours/tuner/workers_{workers}", "trials/h", round(per_hour, 1), trials=len(records))
    if earlier:
        row |= {"ratio": round(per_hour / earlier[0]["median"], 3), "ratio_of": [row["name"], earlier[0]["name"]]}
        return [row]
    overheads = [record["overhead_seconds"] for record in records]
    overhead = results.single("ours/tuner/overhead", "s", round(statistics.median(overheads), 3))
    overhead |= {"min": min(overheads), "max": max(overheads), "repeats": len(overheads)}
    begin = max(mib for ended, mib in samples if ended < FEW)
    end = max(mib for ended, mib in samples if len(records) - FEW <= ended < len(records))
    memory = [
        results.single("ours/tuner/memory/begin", "MiB", round(begin, 1)),
        results.single("ours/tuner/memory/end", "MiB", round(end, 1)),
    ]
    memory[1] |= {"ratio": round(end / begin, 3), "ratio_of": [memory[1]["name"], memory[0]["name"]]}
    return [row, overhead, *memory]
