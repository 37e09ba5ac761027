"""What `benchmarks.input` measures: feeds of training batches, ours by setting and by stage, peers, and the ceilings.

A feed is an endless iterator of batches of known size; measuring it is taking so many of them.
"""

import dataclasses
import functools
import gc
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import psutil
import tensorflow as tf
from rich.progress import Progress

from benchmarks import results
from benchmarks.timing import Side, interleave
from pipeline import batches, source, split, stages
from pipeline.data_config import DataConfig

SLOW = ("ours/train/none", "ours/train/disk", "ours/stage", "peer/")  # one pass a round

Make = Callable[[], Iterator[Any]]


@dataclasses.dataclass(frozen=True)
class Feed:
    """One way to feed a training step.

    Attributes:
      name: of its row.
      make: the iterator; made anew for each call that is timed.
      batch_size: images that each of its items holds.
    """

    name: str
    make: Make
    batch_size: int

    def side(self, pass_images: int, passes: int) -> Side:
        """To be timed: so many passes, in whole batches, behind one that is not timed.

        The iterator is made for each call and let go of behind it: what a feed makes in advance would else fill its
        buffers while others are measured, to be taken from there in its own turn.
        """
        batches_a_pass = max(1, pass_images // self.batch_size)
        iterators: list[Iterator[Any]] = []

        def before() -> None:
            iterators.append(self.make())
            _take(iterators[0], batches_a_pass)

        def after() -> None:
            iterators.clear()
            gc.collect()

        count = passes * batches_a_pass
        return Side(self.name, lambda: _take(iterators[0], count), count * self.batch_size, before, after)


def _take(iterator: Iterator[Any], count: int) -> None:
    for _ in itertools.islice(iterator, count):
        pass


def settings(data: DataConfig, batch_sizes: tuple[int, ...]) -> list[Feed]:
    """Our training batches by batch size, cache and threads, and the evaluation's."""
    builder = source.open_builder(data)

    def of(name: str, threads: int = 0, **changes: Any) -> Feed:
        changed = dataclasses.replace(data, **changes)
        make = functools.partial(train_batches, changed, builder, threads)
        return Feed(name, make, changed.batch_size)

    feeds = [of(f"ours/train/memory/{size}", batch_size=size) for size in batch_sizes]
    feeds += [of(f"ours/train/memory/{data.batch_size}/threads_{count}", threads=count) for count in (1, 2)]
    feeds += [of(f"ours/train/{cache}/{data.batch_size}", cache=cache) for cache in ("disk", "none")]
    feeds.append(of(f"ours/train/none/{data.batch_size}/window_1000", cache="none", shuffle_buffer=1000))
    evaluation = batches.eval_batches(data, builder, "test").repeat()
    return [*feeds, Feed("ours/evaluate/memory", lambda: iter(evaluation), batches.EVAL_BATCH_SIZE)]


def by_stage(data: DataConfig) -> list[Feed]:
    """Our pipeline without a cache, cut off behind each stage: what each adds."""
    uncached = dataclasses.replace(data, cache="none")
    builder = source.open_builder(uncached)
    host = batches.train_stages(uncached, split.keep("train", uncached, builder), seed=0, start_step=0)
    feeds = []
    for count in range(len(host) + 1):
        name = type(host[count - 1]).__name__ if count else "Read"
        dataset = stages.chain(source.read(builder, "train"), host[:count])
        is_endless = any(isinstance(stage, stages.WindowShuffledPasses) for stage in host[:count])
        # Labels alone, so many at a time: to hand every chunk's images to Python would be measured too.
        fine = (dataset if is_endless else dataset.repeat()).map(lambda chunk: chunk["fine"])
        make = functools.partial(iter, stages.untuned(fine.rebatch(data.batch_size)))
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
    """Every training example in memory: uint8 [N, 32, 32, 3] images, int32 [N] fine labels; in no order."""
    builder = source.open_builder(data)
    part = split.keep("train", data, builder)
    decoded = stages.chain(source.read(builder, "train"), (part, stages.Decode()))
    found = stages.in_memory(decoded)
    return found["image"].numpy(), found["fine"].numpy().astype(np.int32)


def train_batches(data: DataConfig, builder: source.Builder, threads: int) -> Iterator[Any]:
    """Endless training batches of a prepared data set, by so many threads of tf.data's; 0 leaves their number to it."""
    dataset = batches.train_batches(data, builder, seed=0)
    if threads:
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        dataset = dataset.with_options(options)
    return iter(dataset)


def rows(feeds: Sequence[Feed], repeats: int, passes: int, num_images: int, ours: str) -> list[dict[str, Any]]:
    """The feeds in turns, as rows.

    Args:
      feeds: `ours/ceiling/copy` and `ours` among them.
      repeats: rounds.
      passes: over the images a round; of SLOW feeds one. Whole ones: less would be what waits in buffers.
      num_images: of a pass.
      ours: the name of the feed that peers are compared with.
    """
    sides = [feed.side(num_images, 1 if feed.name.startswith(SLOW) else passes) for feed in feeds]
    with Progress(auto_refresh=False) as progress:  # no thread of its own beside what is timed
        task = progress.add_task("input", total=len(sides) * (repeats + 1))
        timings = interleave(sides, repeats, each=lambda: progress.update(task, advance=1, refresh=True))
    copy = timings["ours/ceiling/copy"].median
    found = []
    for feed, side in zip(feeds, sides, strict=True):
        timed = timings[feed.name]
        more: dict[str, Any] = {"cpu_s_per_million": round(1e6 * _cpu_seconds(side) / side.num_units, 2)}
        if feed.batch_size > 1:
            more["ceiling_share"] = round(timed.median / copy, 4)
        compared = (timings[ours], timed) if feed.name.startswith("peer/") else None
        found.append(results.row(timed, "images/s", compared, batch_size=feed.batch_size, **more))
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
