"""What `benchmarks.input` measures of ours: training batches by setting and by stage, and the ceilings."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import data as harness_data
from benchmarks.harness.labels import Labels
from benchmarks.input.loaders import Loader
from pipeline import memory_cache, shuffling, stages
from pipeline.batches import EVAL_BATCH_SIZE, OpenedData
from pipeline.data_config import DataConfig

TRAIN = "ours/train/{cache}/{batch_size}"


def by_setting(data: DataConfig, batch_sizes: Sequence[int]) -> list[Loader]:
    """Our training batches by batch size and cache, and the batches of the evaluation."""
    loaders = [_training(TRAIN, data, cache="memory", batch_size=size) for size in batch_sizes]
    loaders += [_training(TRAIN, data, cache=cache) for cache in ("device", "disk", "none")]
    evaluation = OpenedData(data).evaluation("test").repeat()
    labels = Labels.of("ours/evaluate/{cache}", "evaluate", cache="memory", batch_size=EVAL_BATCH_SIZE)
    return [*loaders, Loader(labels, lambda: iter(evaluation))]


def variants(data: DataConfig) -> list[Loader]:
    """Our training batches by threads, and with a smaller shuffle buffer."""
    by_threads = [_training(TRAIN + "/threads_{threads}", data, threads=count) for count in (1, 2)]
    window: dict[str, Any] = {"cache": "none", "shuffle_buffer": 1000}
    opened = OpenedData(dataclasses.replace(data, **window))
    labels = Labels.of(TRAIN + "/window_{shuffle_buffer}", "train", batch_size=data.batch_size, **window)
    return [*by_threads, Loader(labels, functools.partial(harness_data.train_batches, opened))]


def _training(template: str, data: DataConfig, threads: int | None = None, **changes: Any) -> Loader:
    opened = OpenedData(dataclasses.replace(data, **changes))
    settings = {"cache": opened.config.cache, "batch_size": opened.config.batch_size, "threads": threads}
    make = functools.partial(harness_data.train_batches, opened, threads=threads or 0)
    return Loader(Labels.of(template, "train", **settings), make)


def by_stage(data: DataConfig) -> list[Loader]:
    """Our pipeline without a cache, cut off after each stage but the last one, with which it is ours/train/none."""
    opened = OpenedData(dataclasses.replace(data, cache="none"))
    *host, _ = opened.train_stages(seed=0)
    loaders = []
    for count in range(len(host) + 1):
        name = type(host[count - 1]).__name__ if count else "Read"
        dataset = opened.read("train", tuple(host[:count]))
        is_endless = any(isinstance(stage, shuffling.WindowShuffledPasses) for stage in host[:count])
        # Labels only, that many at a time: passing every chunk's images to Python would be measured too.
        fine = (dataset if is_endless else dataset.repeat()).map(lambda chunk: chunk["fine"])
        make = functools.partial(iter, stages.without_autotune(fine.rebatch(data.batch_size)))
        template = f"ours/stage/{count}_{{stage}}"
        loaders.append(Loader(Labels.of(template, "stage", stage=name, batch_size=data.batch_size), make))
    return loaders


def ceilings(images: np.ndarray, batch_size: int) -> list[Loader]:
    """What memory allows: plain copies of batches one after the other, and NumPy's permutation of all images."""

    def copies() -> Iterator[np.ndarray]:
        out = np.empty_like(images[:batch_size])
        for begin in itertools.cycle(range(0, len(images) - batch_size + 1, batch_size)):
            np.copyto(out, images[begin : begin + batch_size])
            yield out

    def permuted() -> Iterator[np.ndarray]:
        random = np.random.default_rng(0)
        while True:
            mixed = images[random.permutation(len(images))]
            for begin in range(0, len(images) - batch_size + 1, batch_size):
                yield mixed[begin : begin + batch_size]

    def loader(name: str, make: Callable[[], Iterator[np.ndarray]]) -> Loader:
        return Loader(Labels.of("ours/ceiling/{loader}", "ceiling", loader=name, batch_size=batch_size), make)

    return [loader("copy", copies), loader("permutation", permuted)]


def examples(data: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """All training examples in the order of the files: uint8 [N, 32, 32, 3] images, int32 [N] fine labels.

    Raises:
      errors.BadArgumentError: a batch of `data` is larger than the training split.
    """
    opened = OpenedData(data)
    opened.train_stages(seed=0)
    arrays = memory_cache.in_memory(opened.examples("train"), opened.num_examples["train"])
    return arrays["image"].numpy(), arrays["fine"].numpy().astype(np.int32)
