"""The stages of the host's pipeline: frozen, printable, `dataset -> dataset`.

A pipeline is a tuple of stages (batches.py). Examples come in chunks of any size (source.py) until a stage makes
batches of them. A pass is one run over the training examples; passes follow one another without end.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf

from pipeline import source
from pipeline.common import cpu, errors, progress, seeds
from pipeline.device_examples import DeviceExamples

ENDLESS = 2**40  # passes; a run ends because the loop stops reading
# Columns that identify a view: the place of its example in the training split, and the number of the pass from 0 on.
VIEW_KEYS = ("index", "pass_number")
CHUNKS_AHEAD = 8  # no faster than 4; decoded, they are 1.5 MB
GATHERS_AT_ONCE = 2  # each copies at the rate of one processor
MAX_CACHED_DATASETS = 2  # the training and validation images of one split
ALIGNMENT = 64  # bytes, of TensorFlow's own allocations on CPUs

Stage: TypeAlias = Callable[[tf.data.Dataset], tf.data.Dataset]
Examples = TypeVar("Examples")


def chain(dataset: tf.data.Dataset, stages: tuple[Stage, ...]) -> tf.data.Dataset:
    """Apply the stages in order, from the last cache on that holds its examples already: it reads no input."""
    caches = (CacheInMemory, CacheOnDevice)
    loaded = [place for place, stage in enumerate(stages) if isinstance(stage, caches) and stage.is_loaded]
    stages = stages[max(loaded, default=0) :]
    # At both ends: a stage may iterate over its input, and its output need not be derived from its input.
    return without_autotune(functools.reduce(lambda current, stage: stage(current), stages, without_autotune(dataset)))


def without_autotune(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The data set without tf.data's autotuning and graph rewriting; stages set their own parallelism.

    The thread that tunes an iterator delays its destruction by seconds. An iterator over a rewritten data set copies
    every tensor that the data set's functions gather from: the images.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)


@dataclasses.dataclass(frozen=True)
class Decode:
    """Decodes PNG images to uint8 pixels, in order, on every processor that this process may use."""

    image_size: int

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks with `image` string [C] -> chunks of source.CHUNK with `image` uint8 [C, S, S, 3], S `image_size`."""
        chunks = dataset.rebatch(source.CHUNK)  # drops the empty chunks that a split may leave
        # One more than there are processors: a decoded chunk that waits for its consumer keeps none of them idle.
        return chunks.map(self._decode, num_parallel_calls=cpu.count() + 1, deterministic=True)

    def _decode(self, chunk: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {**chunk, "image": decode_png(chunk["image"], self.image_size)}


def decode_png(files: tf.Tensor, size: int) -> tf.Tensor:
    """PNG files of `size` x `size` pixels, string [C], C from 1 to source.CHUNK -> uint8 [C, S, S, 3]."""
    # An op for each image: a loop in the graph doubles the time.
    count = tf.shape(files)[0]
    filled = tf.concat([files, tf.repeat(files[-1:], source.CHUNK - count)], axis=0)
    images = tf.stack([tf.io.decode_png(file, channels=3) for file in tf.unstack(filled, source.CHUNK)])
    images = tf.gather(images, tf.range(count))  # tf.data warns of slices, which share memory
    return tf.ensure_shape(images, (None, size, size, 3))


class MemoryCache:
    """The examples of the MAX_CACHED_DATASETS data sets loaded last, in the host's memory or on the device."""

    def __init__(self) -> None:
        self._examples: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._examples)

    def __contains__(self, key: str) -> bool:
        return key in self._examples

    def load(self, key: str, load: Callable[[], Examples]) -> Examples:
        """The examples stored under `key`, else what `load` returns, which is stored."""
        if key not in self:
            examples = load()
            while len(self._examples) >= MAX_CACHED_DATASETS:
                del self._examples[next(iter(self._examples))]
            self._examples[key] = examples
        return self._examples[key]


@dataclasses.dataclass(frozen=True)
class CacheInMemory:
    """Loads every example of a finite data set into memory, or takes them from `cache`."""

    num_examples: int
    key: str = dataclasses.field(repr=False)
    cache: MemoryCache = dataclasses.field(repr=False)

    @property
    def is_loaded(self) -> bool:
        """Whether the examples are in memory."""
        return self.key in self.cache

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> one chunk with all examples; errors as `in_memory`."""
        examples = self.cache.load(self.key, lambda: in_memory(dataset, self.num_examples))
        return tf.data.Dataset.from_tensors(examples)


@dataclasses.dataclass(frozen=True)
class CacheOnDevice:
    """Loads every example of a finite data set onto a device, or takes them from `cache`.

    What follows are indices. The step gathers its batch from `examples`, on the device.
    """

    num_examples: int
    device: str  # "/GPU:0"; "" is the host's processor
    key: str = dataclasses.field(repr=False)
    cache: MemoryCache = dataclasses.field(repr=False)

    @property
    def is_loaded(self) -> bool:
        """Whether the examples are on the device."""
        return self._key in self.cache

    def examples(self, dataset: tf.data.Dataset) -> DeviceExamples:
        """The examples of chunks; errors as `in_memory` and `DeviceExamples.of`."""
        return self.cache.load(self._key, lambda: DeviceExamples.of(in_memory(dataset, self.num_examples), self.device))

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> the indices of all examples, one by one; errors as `examples`."""
        self.examples(dataset)
        return tf.data.Dataset.range(self.num_examples)

    @property
    def _key(self) -> str:
        return f"device-{self.key}"


@dataclasses.dataclass(frozen=True)
class PermutedViews:
    """Permutes the indices of all examples anew in each pass.

    The stream is the permutations end to end, cut into full batches: a batch at the end of a pass goes on into the
    next pass. Batch k follows from (seed, k) alone, and starting there costs the same for every k. With `rows`, only
    their images and labels are gathered: the part of one process of several.
    """

    num_examples: int
    batch_size: int
    seed: int
    start_step: int = 0
    rows: range | None = dataclasses.field(default=None, repr=False)

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """All examples, which are not read -> endless batches of int64 [B] `VIEW_KEYS`."""
        first_pass, offset = divmod(self.start_step * self.batch_size, self.num_examples)

        def views(pass_number: tf.Tensor) -> dict[str, tf.Tensor]:
            order = self._permutation(pass_number)
            order = tf.gather(order, tf.range(tf.where(pass_number == first_pass, offset, 0), self.num_examples))
            return {"index": order, "pass_number": tf.fill(tf.shape(order), pass_number)}

        passes = tf.data.Dataset.range(first_pass, ENDLESS).map(views, num_parallel_calls=1)
        return passes.rebatch(self.batch_size, drop_remainder=True)

    def views(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """The batch of int64 [B] `VIEW_KEYS` of one step, as it is in the stream; for batches of at most one pass."""
        places = step * self.batch_size + tf.range(self.batch_size, dtype=tf.int64)
        passes, places = places // self.num_examples, places % self.num_examples
        first, last = self._permutation(passes[0]), lambda: self._permutation(passes[-1])
        later = tf.cond(passes[0] == passes[-1], lambda: first, last)
        index = tf.where(passes == passes[0], tf.gather(first, places), tf.gather(later, places))
        return {"index": index, "pass_number": passes}

    def _permutation(self, pass_number: tf.Tensor) -> tf.Tensor:
        seed = seeds.fold(seeds.derive(self.seed, "shuffle"), pass_number)
        indices = tf.range(self.num_examples, dtype=tf.int64)
        return tf.random.experimental.stateless_shuffle(indices, seed, alg=seeds.ALGORITHM)


class PermutedBatches(PermutedViews):
    """The same with the examples; a batch is one gather, made by one thread, two batches at a time."""

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """One chunk with all examples -> endless batches: its columns [B, ...] and int64 [B] `VIEW_KEYS`."""
        examples = next(iter(without_autotune(dataset)))

        def gathered(views: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            own = views["index"] if self.rows is None else views["index"][self.rows.start : self.rows.stop]
            return {name: tf.gather(column, own) for name, column in examples.items()} | views

        # Threads that share one gather wait for each other longer than each copies.
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1
        gathers = super().__call__(dataset).map(gathered, num_parallel_calls=GATHERS_AT_ONCE, deterministic=True)
        return gathers.with_options(options)


@dataclasses.dataclass(frozen=True)
class WindowShuffledPasses:
    """Repeats the examples without end, shuffled anew in each pass within a window of `buffer` examples.

    The order of pass p follows from (seed, p) alone. The stream begins with example `skipped` of pass `first_pass`.
    """

    buffer: int
    seed: int
    first_pass: int = 0
    skipped: int = 0

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> endless chunks of source.CHUNK, with int64 [C] `VIEW_KEYS`."""
        shuffle_seed = seeds.derive(self.seed, "shuffle")

        def shuffled(pass_number: tf.Tensor) -> tf.data.Dataset:
            seed = tf.bitcast(seeds.fold(shuffle_seed, pass_number), tf.int64)
            # `shuffle` also mixes in the graph's seed, which would come from TensorFlow's global one.
            tf.compat.v1.set_random_seed(1)
            # Reading and selecting the split take at least as long as shuffling, so they get a thread of their own.
            ahead = dataset.prefetch(CHUNKS_AHEAD)
            keyed = ahead.scan(tf.constant(0, tf.int64), functools.partial(_add_view_keys, pass_number))
            return keyed.unbatch().shuffle(self.buffer, seed=seed, reshuffle_each_iteration=False)

        examples = tf.data.Dataset.range(self.first_pass, ENDLESS).flat_map(shuffled).skip(self.skipped)
        return examples.batch(source.CHUNK, drop_remainder=True)


def _add_view_keys(
    pass_number: tf.Tensor, begin: tf.Tensor, chunk: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The index behind the chunk, which begins at `begin`, and the chunk with `VIEW_KEYS`."""
    end = begin + tf.shape(chunk["fine"], tf.int64)[0]
    indices = tf.range(begin, end)
    return end, {**chunk, "index": indices, "pass_number": tf.fill(tf.shape(indices), pass_number)}


@dataclasses.dataclass(frozen=True)
class Batch:
    """Cuts an endless stream of chunks into full batches."""

    batch_size: int

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> batches."""
        return dataset.rebatch(self.batch_size, drop_remainder=True)


@dataclasses.dataclass(frozen=True)
class Rows:
    """Keeps these rows of each batch, the part of one process of several, and `VIEW_KEYS` of all rows."""

    rows: range

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Batches -> batches with `VIEW_KEYS` int64 [B], and fewer rows in the other columns."""
        return dataset.map(self._kept)

    def _kept(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        rows = tf.range(self.rows.start, self.rows.stop)  # tf.data warns of slices, which share memory
        return {name: column if name in VIEW_KEYS else tf.gather(column, rows) for name, column in batch.items()}


@dataclasses.dataclass(frozen=True)
class BatchPadWithMask:
    """Cuts a finite split into batches of one shape; padding of the last one is False in `mask`.

    One shape means one trace, and every example is evaluated exactly once.
    """

    batch_size: int

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> batches with `"mask": bool [B]`."""
        return dataset.rebatch(self.batch_size).map(self._pad)

    def _pad(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        count = tf.shape(batch["fine"])[0]

        def pad(column: tf.Tensor) -> tf.Tensor:
            padded = tf.pad(column, [[0, self.batch_size - count]] + [[0, 0]] * (column.shape.rank - 1))
            return tf.ensure_shape(padded, [self.batch_size, *column.shape[1:]])

        return tf.nest.map_structure(pad, batch) | {"mask": tf.range(self.batch_size) < count}


@dataclasses.dataclass(frozen=True)
class CenterCrop:
    """Keeps the central part of each image, `size` x `size` pixels."""

    size: int

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Batches -> batches with `image` uint8 [B, S, S, 3], S `size`."""
        return dataset.map(self.crop)

    def crop(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The batch with cropped images."""
        return {**batch, "image": tf.image.resize_with_crop_or_pad(batch["image"], self.size, self.size)}


@dataclasses.dataclass(frozen=True)
class Prefetch:
    """Makes the next batches while the device computes. The host ends here: uint8 crosses to the device.

    With a `device` ("/GPU:0") batches are copied to it ahead of the step, else by the step's first op.
    """

    num_batches: int = 2
    device: str = ""

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Batches -> the same batches."""
        if self.device:
            return dataset.apply(tf.data.experimental.prefetch_to_device(self.device, self.num_batches))
        return dataset.prefetch(self.num_batches)


def in_memory(dataset: tf.data.Dataset, num_examples: int) -> dict[str, tf.Tensor]:
    """Every example of a finite data set of chunks: one tensor [N, ...] a column, in the host's memory.

    Another number of examples than `num_examples` raises errors.FailedError.
    """
    columns: dict[str, np.ndarray] = {}
    end = 0
    with progress.task("decoding images", num_examples, "images") as task:
        for chunk in dataset.as_numpy_iterator():
            begin, end = end, end + len(next(iter(chunk.values())))
            if end > num_examples:
                break
            for name, values in chunk.items():
                if name not in columns:
                    columns[name] = _aligned((num_examples, *values.shape[1:]), values.dtype)
                columns[name][begin:end] = values
            task.advance(end - begin)
    if end != num_examples:
        got = "more" if end > num_examples else end
        raise errors.FailedError(f"expected {num_examples} examples, got {got}: prepare the data set again")
    return {name: tf.experimental.dlpack.from_dlpack(column.__dlpack__()) for name, column in columns.items()}


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An empty array at an address that TensorFlow can use without a copy."""
    num_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(num_bytes + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + num_bytes].view(dtype).reshape(shape)
