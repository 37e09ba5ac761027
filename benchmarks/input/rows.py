"""The rows of `benchmarks.input`: rates and CPU seconds of the loaders, and the memory that loading takes."""

import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psutil

from benchmarks.harness import data as harness_data
from benchmarks.harness import results, subprocess_call, timing
from benchmarks.harness.labels import Labels
from benchmarks.input import peers
from pipeline.common import progress
from pipeline.data_config import DataConfig

COPY = "ours/ceiling/copy"


def timed(cases: Sequence[timing.Case], repeats: int, ours: str) -> list[results.Row]:
    """Measure the cases in turns: `COPY`, the one named `ours`, which peers are compared with, and others."""
    with progress.task("measuring", len(cases) * (repeats + 1), "passes", in_background=False) as task:
        timings = timing.interleave(cases, repeats, each=task.advance)
    copy = timings[COPY].median
    rows = []
    for case in cases:
        measured = timings[case.name]
        fields: dict[str, Any] = {
            "cpu_s_per_million": round(1e6 * _cpu_seconds(case) / case.num_units, 2),
            "ceiling_share": round(measured.median / copy, 4),
        }
        if case.labels.peer:
            fields |= {"compared": (timings[ours], measured), "version": peers.version(case.name)}
        rows.append(results.timed(measured, **fields))
    return rows


def resident(data: DataConfig, caches: Sequence[str], passes: int, repeats: int) -> Iterator[results.Row]:
    """The memory of a process that only loads training batches, by cache, from `repeats` processes each."""
    for cache in progress.track(caches, "measuring memory", len(caches), "caches", in_background=False):
        values = dataclasses.replace(data, cache=cache).as_dict()
        peaks = [subprocess_call.call(consume, data=values, passes=passes)["peak_mib"] for _ in range(repeats)]
        labels = Labels.of("ours/resident/{cache}", "resident", cache=cache, batch_size=data.batch_size)
        yield results.row(labels, "MiB", peaks)


def consume(data: dict[str, Any], passes: int) -> dict[str, float]:
    """Load training batches, and do nothing else; called in a process of its own, `data` being a DataConfig's values.

    Returns:
      {"peak_mib": peak resident memory of the process, TensorFlow's 500 MiB or so included}.
    """
    from models.runtime import device
    from pipeline.batches import OpenedData

    opened = OpenedData(DataConfig(**data))
    num_batches = passes * opened.num_examples["train"] // opened.config.batch_size
    for _ in itertools.islice(harness_data.train_batches(opened), num_batches):
        pass
    return {"peak_mib": device.peak_rss_mib()}


def _cpu_seconds(case: timing.Case) -> float:
    """CPU seconds of one more call, by this process and its workers."""
    case.before()
    workers = psutil.Process().children(recursive=True)
    begin = _cpu(workers)
    case.run()
    spent = _cpu(workers) - begin
    case.after()
    return spent


def _cpu(workers: list[psutil.Process]) -> float:
    return time.process_time() + sum(sum(worker.cpu_times()[:2]) for worker in workers if worker.is_running())
