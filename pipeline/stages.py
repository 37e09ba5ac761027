"""The stages of the host's pipeline: frozen, printable, `dataset -> dataset`.

A pipeline is a tuple of stages (batches.py). Examples come in chunks of any size (source.py) until a stage makes
batches of them. A pass is one run over the training examples; passes follow one another without end.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

from pipeline import source
from pipeline.common import cpu
from pipeline.memory_cache import CacheInMemory, CacheOnDevice

# Columns that identify a view: the place of its example in the training split, and the number of the pass from 0 on.
VIEW_KEYS = ("index", "pass_number")

Stage: TypeAlias = Callable[[tf.data.Dataset], tf.data.Dataset]


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
