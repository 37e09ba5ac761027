"""What a process holds that only takes training batches, in a process of its own."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.harness import results, subprocess_call
from pipeline.data_config import DataConfig


def taken(data: dict[str, Any], passes: int) -> dict[str, float]:
    """Take so many passes of training batches, and nothing else.

    Args:
      data: a DataConfig as a dictionary.
      passes: over the training images.

    Returns:
      {"peak_mib": the most that the process held, TensorFlow's own 500 MiB or so included}.
    """
    from pipeline.common import app

    app.load_tensorflow()
    import itertools

    from benchmarks.input import cases
    from models.runtime import device
    from pipeline.batches import OpenedData

    opened = OpenedData(DataConfig(**data))
    num_batches = passes * opened.num_examples["train"] // opened.config.batch_size
    for _ in itertools.islice(cases.train_batches(opened, threads=0), num_batches):
        pass
    return {"peak_mib": device.peak_rss_mib()}


def rows(data: DataConfig, caches: Sequence[str], passes: int, repeats: int) -> Iterator[dict[str, Any]]:
    """What a process holds with each cache, again and again in a process of its own, row after row."""
    for cache in caches:
        given = {"data": dataclasses.replace(data, cache=cache).as_dict(), "passes": passes}
        held = [subprocess_call.call(taken, given)["peak_mib"] for _ in range(repeats)]
        yield results.several(f"ours/resident/{cache}", "MiB", held)
