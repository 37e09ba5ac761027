"""The steps that a data set takes on the host: frozen, printable, `dataset -> dataset`.

A pipeline is a tuple of stages (batches.py, split.py); reading the tuple is reading the pipeline. Examples come in
chunks of any size (source.py) until a stage makes batches of them. A stage named for a pass speaks of one run over the
training examples; passes follow one another without end.
"""

import dataclasses
import functools
import math
import pathlib
import shutil
from typing import Protocol

import numpy as np
import tensorflow as tf

from pipeline import source
from pipeline.common import cpu, errors, seeds
from pipeline.datasets import prepared

IMAGE_SHAPE = (32, 32, 3)
ENDLESS = 2**40  # passes; a run ends because the loop stops reading
# Of a view: its example's place among the training examples, and how often that was seen before in the run.
NUMBERS = ("index", "pass_number")
CHUNKS_AHEAD = 8  # from 4 on it is as fast; decoded, they are 1.5 MB
MOST_HELD = 2
ALIGNMENT = 64  # bytes, of what TensorFlow allocates on CPUs
_held: dict[str, dict[str, tf.Tensor]] = {}  # of `in_memory`


class Stage(Protocol):
    """Anything that turns one data set into another."""

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """The data set behind this stage."""


def chain(dataset: tf.data.Dataset, stages: tuple[Stage, ...]) -> tf.data.Dataset:
    """Send `dataset` through the stages in order."""
    # At both ends: a stage may read what it is given, and what it returns may be another data set's child.
    return as_written(functools.reduce(lambda current, stage: stage(current), stages, as_written(dataset)))


def as_written(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The data set without tf.data's own tuning and rewriting, since every stage says itself what it does.

    Whoever lets go of an iterator waits for the thread that tunes it, which sleeps longer and longer, soon for seconds.
    Whoever makes one of a rewritten data set makes a copy of every tensor that its functions gather from: the images.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)


@dataclasses.dataclass(frozen=True)
class Decode:
    """PNG -> uint8 pixels, in order, on every processor that this process may use."""

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks with `image` string [C] -> chunks of source.CHUNK with `image` uint8 [C, 32, 32, 3]."""
        chunks = dataset.rebatch(source.CHUNK)  # also without the empty ones, which a split may leave
        # One more than there are processors, so that the one that waits to be taken keeps none of them idle.
        return chunks.map(self._decode, num_parallel_calls=cpu.count() + 1, deterministic=True)

    def _decode(self, chunk: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        # An op for each image: a loop in the graph takes as long again as what it decodes.
        count = tf.shape(chunk["image"])[0]
        filled = tf.concat([chunk["image"], tf.repeat(chunk["image"][-1:], source.CHUNK - count)], axis=0)
        images = tf.stack([tf.io.decode_png(png, channels=3) for png in tf.unstack(filled, source.CHUNK)])
        images = tf.gather(images, tf.range(count))  # a slice would share memory, of which tf.data complains loudly
        return {**chunk, "image": tf.ensure_shape(images, (None, *IMAGE_SHAPE))}


@dataclasses.dataclass(frozen=True)
class HoldInMemory:
    """Hold every example of a finite data set in memory, under the name `key` (see `in_memory`)."""

    num_examples: int
    key: str = dataclasses.field(repr=False)

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> all examples in one.

        Raises:
          errors.FailedError: there are not `num_examples`.
        """
        return tf.data.Dataset.from_tensors(in_memory(dataset, self.num_examples, self.key))


@dataclasses.dataclass(frozen=True)
class CacheOnDisk:
    """Keep the decoded examples as files in `folder`, made once and whole or not at all; memory stays free."""

    folder: str

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> the same, read from `folder`."""
        folder = pathlib.Path(self.folder)
        with prepared.lock(folder.parent):
            if not folder.exists():
                partial = folder.with_name(f".{folder.name}.partial")
                shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
                dataset.save(str(partial))
                partial.rename(folder)
        return tf.data.Dataset.load(str(folder))


@dataclasses.dataclass(frozen=True)
class PermutedBatchesFromMemory:
    """Hold every example in one uint8 tensor; permute the whole of it each pass; a batch is one gather.

    The stream is the passes' permutations end to end, cut into full batches: one that the end of a pass would leave
    short goes on into the next pass. Batch k follows from (seed, k) alone, and starting there costs the same for any k.
    """

    num_examples: int
    batch_size: int
    seed: int
    start_step: int = 0
    key: str = dataclasses.field(default="", repr=False)

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> endless batches: uint8 [B, 32, 32, 3] `image`, int32 [B] labels, int64 [B] `NUMBERS`.

        Raises:
          errors.FailedError: there are not `num_examples`.
        """
        examples = in_memory(dataset, self.num_examples, self.key)
        first_pass, offset = divmod(self.start_step * self.batch_size, self.num_examples)
        shuffle_seed = seeds.derive(self.seed, "shuffle")

        def permutation(number: tf.Tensor) -> dict[str, tf.Tensor]:
            seed = seeds.fold(shuffle_seed, number)
            every = tf.range(self.num_examples, dtype=tf.int64)
            order = tf.random.experimental.stateless_shuffle(every, seed, alg=seeds.ALGORITHM)
            order = tf.gather(order, tf.range(tf.where(number == first_pass, offset, 0), self.num_examples))
            return {"index": order, "pass_number": tf.fill(tf.shape(order), number)}

        def gathered(numbers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {name: tf.gather(column, numbers["index"]) for name, column in examples.items()} | numbers

        numbers = tf.data.Dataset.range(first_pass, ENDLESS).map(permutation, num_parallel_calls=1)
        return numbers.rebatch(self.batch_size, drop_remainder=True).map(gathered)


@dataclasses.dataclass(frozen=True)
class WindowShuffledPasses:
    """Repeat the examples without end, each pass shuffled anew within a window of `buffer` examples, and read ahead.

    The order of pass p follows from (seed, p) alone, whatever came before it; `skipped` examples of the first one are
    passed over.
    """

    buffer: int
    seed: int
    first_pass: int = 0
    skipped: int = 0

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> endless chunks of source.CHUNK, with int64 [C] `NUMBERS`."""
        shuffle_seed = seeds.derive(self.seed, "shuffle")

        def shuffled(number: tf.Tensor) -> tf.data.Dataset:
            seed = seeds.fold(shuffle_seed, number)
            joined = tf.bitcast(seed, tf.int64)
            # `shuffle` mixes in the graph's seed, which it takes from TensorFlow's global one; an order must not.
            tf.compat.v1.set_random_seed(1)
            # Reading and choosing what is kept take at least as long as shuffling: a thread of their own does them.
            ahead = dataset.prefetch(CHUNKS_AHEAD)
            numbered = ahead.scan(tf.constant(0, tf.int64), functools.partial(_number, number))
            return numbered.unbatch().shuffle(self.buffer, seed=joined, reshuffle_each_iteration=False)

        examples = tf.data.Dataset.range(self.first_pass, ENDLESS).flat_map(shuffled).skip(self.skipped)
        return examples.batch(source.CHUNK, drop_remainder=True)


def _number(
    pass_number: tf.Tensor, index: tf.Tensor, chunk: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """A chunk with `NUMBERS`, its first example being `index`; and the index behind its last one."""
    behind = index + tf.shape(chunk["fine"], tf.int64)[0]
    indices = tf.range(index, behind)
    return behind, {**chunk, "index": indices, "pass_number": tf.fill(tf.shape(indices), pass_number)}


@dataclasses.dataclass(frozen=True)
class Batch:
    """Cut an endless stream of chunks into full batches; none is left over."""

    batch_size: int

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> batches."""
        return dataset.rebatch(self.batch_size, drop_remainder=True)


@dataclasses.dataclass(frozen=True)
class BatchPadWithMask:
    """Cut a finite split into batches of one size; what fills up the last one is marked False in `mask`.

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
class Prefetch:
    """Make the next batches while the device computes. The host ends here: uint8 crosses to the device.

    With a `device` ("/GPU:0") the copy itself happens ahead of the step; without one the step's first op copies.
    """

    num_batches: int = 2
    device: str = ""

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Batches -> the same batches, earlier."""
        if self.device:
            return dataset.apply(tf.data.experimental.prefetch_to_device(self.device, self.num_batches))
        return dataset.prefetch(self.num_batches)


def in_memory(dataset: tf.data.Dataset, num_examples: int, key: str = "") -> dict[str, tf.Tensor]:
    """Every example of a finite data set, as one tensor a column in the host's memory: [N, ...].

    Args:
      dataset: chunks; not read where its examples are still held.
      num_examples: N, 1 at least.
      key: what they are, to be held under for the next training of this process; "" is not held. The last MOST_HELD
        are: the training and validation images of one split, which a worker of a study or a tuner reads often.

    Raises:
      errors.FailedError: it has another number of examples.
    """
    if key in _held:
        return _held[key]
    columns: dict[str, np.ndarray] = {}
    begin = 0
    for chunk in dataset.as_numpy_iterator():
        end = begin + len(next(iter(chunk.values())))
        if end > num_examples:
            raise errors.FailedError(f"the data set goes on behind its {num_examples} examples: prepare it again")
        for name, part in chunk.items():
            if name not in columns:
                columns[name] = _aligned((num_examples, *part.shape[1:]), part.dtype)
            columns[name][begin:end] = part
        begin = end
    if begin != num_examples:
        raise errors.FailedError(f"the data set ended after {begin} of {num_examples} examples: prepare it again")
    found = {name: tf.experimental.dlpack.from_dlpack(column.__dlpack__()) for name, column in columns.items()}
    if key:
        while len(_held) >= MOST_HELD:
            del _held[next(iter(_held))]
        _held[key] = found
    return found


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array that begins where TensorFlow's own would: it is handed over as it lies, and operations rely on that."""
    num_bytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(num_bytes + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + num_bytes].view(dtype).reshape(shape)
