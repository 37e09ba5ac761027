"""What `benchmarks.input` measures of ours: feeds of training batches by setting and by stage, and the ceilings."""

import dataclasses
import functools
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import psutil
import tensorflow as tf
from rich.progress import Progress

from benchmarks.harness import results
from benchmarks.harness.timing import Side, interleave
from benchmarks.input.loaders import Feed
from pipeline import stages
from pipeline.batches import EVAL_BATCH_SIZE, OpenedData
from pipeline.data_config import DataConfig

SLOW = ("ours/train/none", "ours/train/disk", "ours/stage")  # one pass a round


def settings(data: DataConfig, batch_sizes: tuple[int, ...]) -> list[Feed]:
    """Our training batches by batch size and cache, and the evaluation's."""
    feeds = [_feed(f"ours/train/memory/{size}", data, batch_size=size) for size in batch_sizes]
    feeds += [_feed(f"ours/train/{cache}/{data.batch_size}", data, cache=cache) for cache in ("disk", "none")]
    evaluation = OpenedData(data).evaluation("test").repeat()
    return [*feeds, Feed("ours/evaluate/memory", lambda: iter(evaluation), EVAL_BATCH_SIZE)]


def variants(data: DataConfig) -> list[Feed]:
    """Our training batches by threads, and within a smaller shuffle buffer."""
    size = data.batch_size
    by_threads = [_feed(f"ours/train/memory/{size}/threads_{count}", data, threads=count) for count in (1, 2)]
    window = _feed(f"ours/train/none/{size}/window_1000", data, cache="none", shuffle_buffer=1000)
    return [*by_threads, window]


def _feed(name: str, data: DataConfig, threads: int = 0, **changes: Any) -> Feed:
    opened = OpenedData(dataclasses.replace(data, **changes))
    return Feed(name, functools.partial(train_batches, opened, threads), opened.config.batch_size)


def by_stage(data: DataConfig) -> list[Feed]:
    """Our pipeline without a cache, cut off behind each stage but the last, which makes it ours/train/none."""
    opened = OpenedData(dataclasses.replace(data, cache="none"))
    *host, _ = opened.train_stages(seed=0)
    feeds = []
    for count in range(len(host) + 1):
        name = type(host[count - 1]).__name__ if count else "Read"
        dataset = opened.read("train", tuple(host[:count]))
        is_endless = any(isinstance(stage, stages.WindowShuffledPasses) for stage in host[:count])
        # Labels alone, so many at a time: to hand every chunk's images to Python would be measured too.
        fine = (dataset if is_endless else dataset.repeat()).map(lambda chunk: chunk["fine"])
        make = functools.partial(iter, stages.without_autotune(fine.rebatch(data.batch_size)))
        feeds.append(Feed(f"ours/stage/{count}_{name}", make, data.batch_size))
    return feeds


def ceilings(images: np.ndarray, batch_size: int) -> list[Feed]:
    """What memory allows: a plain copy of such batches one after the other, and NumPy's own permutation of the images.

    Args:
      images: uint8 [N, H, W, C].
      batch_size: of the batches.
    """

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

    return [Feed("ours/ceiling/copy", copies, batch_size), Feed("ours/ceiling/permutation", permuted, batch_size)]


def examples(data: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """Every training example in memory, as the files have them: uint8 [N, 32, 32, 3] images, int32 [N] fine labels."""
    opened = OpenedData(data)
    found = stages.in_memory(opened.examples("train"), opened.num_examples["train"])
    return found["image"].numpy(), found["fine"].numpy().astype(np.int32)


def train_batches(opened: OpenedData, threads: int) -> Iterator[Any]:
    """Endless training batches, made by `threads` threads of tf.data; 0 leaves their number to it."""
    dataset = opened.train(seed=0)
    if threads:
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        dataset = dataset.with_options(options)
    return iter(dataset)


def sides(feeds: Sequence[Feed], passes: int, num_images: int) -> list[Side]:
    """Feeds of ours, to be timed over so many passes, slow ones over one."""
    return [feed.side(num_images, 1 if feed.name.startswith(SLOW) else passes) for feed in feeds]


def check(data: DataConfig) -> None:
    """See that there are batches to measure.

    Raises:
      errors.BadArgumentError: they would be larger than the training examples.
    """
    OpenedData(data).train_stages(seed=0)


def rows(timed_sides: Sequence[Side], batch_sizes: Mapping[str, int], repeats: int, ours: str) -> list[dict[str, Any]]:
    """The sides in turns, as rows.

    Args:
      timed_sides: `ours/ceiling/copy` and `ours` among them.
      batch_sizes: by their names.
      repeats: rounds.
      ours: the name of the feed that peers are compared with.
    """
    with Progress(auto_refresh=False) as progress:  # no thread of its own beside what is timed
        task = progress.add_task("input", total=len(timed_sides) * (repeats + 1))
        timings = interleave(timed_sides, repeats, each=lambda: progress.update(task, advance=1, refresh=True))
    copy = timings["ours/ceiling/copy"].median
    found = []
    for side in timed_sides:
        timed = timings[side.name]
        more = {
            "batch_size": batch_sizes[side.name],
            "cpu_s_per_million": round(1e6 * _cpu_seconds(side) / side.num_units, 2),
            "ceiling_share": round(timed.median / copy, 4),
        }
        compared = (timings[ours], timed) if side.name.startswith("peer/") else None
        found.append(results.row(timed, "images/s", compared, **more))
    return found


def _cpu_seconds(side: Side) -> float:
    """Of one more call: this process's and its workers'."""
    side.before()
    workers = psutil.Process().children(recursive=True)
    before = _cpu(workers)
    side.run()
    spent = _cpu(workers) - before
    side.after()
    return spent


def _cpu(workers: list[psutil.Process]) -> float:
    return time.process_time() + sum(sum(worker.cpu_times()[:2]) for worker in workers if worker.is_running())
