"""Opened data: a prepared data set as batches, by visible tuples of stages.

    examples of a split ─▶ cache, shuffle, batch ─▶ prefetch ──uint8──▶ device

The training stream is an endless sequence of full batches; `epochs.EpochSchedule` gives the steps at which epochs
begin. So no example is ever dropped, every step has one shape, and batch k depends only on (seed, k).
"""

import contextlib
import functools
import pathlib
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import tensorflow as tf

from pipeline import contents, disk_cache, memory_cache, shuffling, source, split, stages
from pipeline.common import errors
from pipeline.data_config import OWN_VALIDATION, DataConfig, check_held_out
from pipeline.data_service.client import ServiceBatches
from pipeline.datasets import integrity, prepared
from pipeline.datasets.canonical import Fingerprints
from pipeline.stages import Stage

EVAL_BATCH_SIZE = 500


class OpenedData:
    """A prepared data set, split, cached, shuffled and batched as its configuration says.

    Split names are "train", "validation" and "test". Validation is a part of the official training split, unless the
    data set has a validation split of its own and the configuration asks for no other.

    Attributes:
      config: the configuration.
      description: what the data set says of itself.
      input_size: pixels each way of the part of an image that the network takes.
      num_examples: {split name: number of examples}.
      fingerprints: of the data set's records and of their order.
      class_counts: {level of labels: int [classes]}, the numbers of training examples.

    Raises:
      errors.BadArgumentError: `config.num_validation` or `crop_size` does not fit the data set.
      errors.FailedError: the data set is not prepared in `config.data_dir`.
    """

    # Of the process: a worker that trains many models in a row decodes their images once.
    _cache: ClassVar = memory_cache.MemoryCache()

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self._opened_inode = self._inode()
        self._builder = source.open_builder(config)
        digests = contents.read(self._folder)
        self.fingerprints = Fingerprints.of(digests)
        self.description = contents.describe(config, self.fingerprints)
        self.input_size = config.input_size(self.description.image_size)
        self.num_examples = config.split_sizes(self.description)
        held_out = self.description.num_examples["train"] - self.num_examples["train"]
        is_share = config.num_validation == OWN_VALIDATION
        self._hold_out = split.hold_out(digests["train"], held_out, config.split_seed, may_be_fewer=is_share)
        if not self._has_own_validation:
            self.num_examples |= {name: part.size for name, part in self._hold_out.items()}
        trained = self._hold_out["train"].mask
        self._fine = digests["train"].fine[trained]
        self.class_counts = {
            level: np.bincount(getattr(digests["train"], level)[trained], minlength=count)
            for level, count in self.description.classes.counts.items()
        }

    def read(self, official_split: str, host: tuple[Stage, ...] = ()) -> tf.data.Dataset:
        """The chunks of an official split (`source.read`) behind the stages `host`."""
        with self.reading():  # a cache in memory reads at once
            return stages.chain(source.read(self._builder, official_split), host)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """A context in which an error of reading becomes errors.DamagedError, or that of `check_not_replaced`."""
        try:
            with integrity.reading(self._folder):
                yield
        except Exception:
            self.check_not_replaced()
            raise

    def check_not_replaced(self) -> None:
        """Raise errors.FailedError if the records were prepared again and are not all in memory."""
        is_read_later = not self.config.holds_images or self.config.data_service
        if is_read_later and self._inode() != self._opened_inode:
            raise errors.FailedError(
                f"data_dir={self.config.data_dir}: {self.config.shown_name} was prepared again while it was read; "
                "leave it alone while a command works on it, and choose another --run_dir for the new images"
            )

    def _inode(self) -> int | None:
        return self._folder.stat().st_ino if self._folder.exists() else None

    def examples(self, split_name: str) -> tf.data.Dataset:
        """The decoded chunks of a split, in the order of the files, without a cache."""
        return self._read(split_name, (self._decode,))

    def train(
        self, seed: int, start_step: int = 0, rows: range | None = None, on_host: bool = False
    ) -> tf.data.Dataset | ServiceBatches:
        """Endless training batches from `start_step` on; a data set, unless a `data_service` makes them, whole.

        uint8 [B, S, S, 3] `image`, int32 [B] `fine` and, of two levels of labels, `coarse`, int64 [B] `index` and
        `pass_number` (stages.VIEW_KEYS). S is the size of the images, which augmentation crops; without augmentation
        it is `input_size`. With `rows`, images and labels are of these rows of each batch alone. With `on_host`,
        batches stay in the host's memory, from which several devices take their parts. With `cache=device` there are
        VIEW_KEYS alone, of which `whole` makes such a batch. A batch larger than the training split, a disk cache that
        cannot be written, or images that do not fit into a device's memory raise errors.BadArgumentError.
        """
        if self.config.data_service:
            return self._made_by_service(seed, start_step)
        return self.read("train", self.train_stages(seed, start_step, rows, on_host))

    def _made_by_service(self, seed: int, start_step: int) -> ServiceBatches:
        self.config.check_batch_size(self.num_examples["train"])
        return ServiceBatches(
            self.config.data_service,
            shuffling.PermutedViews(self.num_examples["train"], self.config.batch_size, seed, start_step),
            self._fine,
            read=lambda: self.examples("train"),
            finish=self._cropped,
            here=lambda step: self.read("train", self.train_stages(seed, step)),
        )

    def train_stages(
        self, seed: int, start_step: int = 0, rows: range | None = None, on_host: bool = False
    ) -> tuple[Stage, ...]:
        """The host's stages from the official training split to uint8 batches; arguments and errors as `train`."""
        self.config.check_batch_size(self.num_examples["train"])
        rows = None if rows == range(self.config.batch_size) else rows
        crop: tuple[Stage, ...] = () if self.config.cache == "device" else self._crop_of_training
        batches = (*self._shuffled_batches(seed, start_step, rows), *crop)
        return (self._hold_out["train"], *batches, stages.Prefetch(device="" if on_host else _device()))

    def whole(self, batch: dict[str, tf.Tensor], rows: range | None = None) -> dict[str, tf.Tensor]:
        """A batch of `train` with its images and labels, of `rows` alone, which `cache=device` gathers on the device.

        It belongs into the graph of a step, which keeps the images that it gathers from.
        """
        if self.config.cache != "device":
            return batch
        with tf.init_scope():  # images that a graph loads would be its own
            examples = self._cache_on_device.examples(self.read("train", (self._hold_out["train"], self._decode)))
        indices = batch["index"] if rows is None else batch["index"][rows.start : rows.stop]
        return self._cropped(examples.gather(indices) | batch)

    def _cropped(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """A training batch, cropped as a stage of the host does."""
        return functools.reduce(lambda current, stage: stage.crop(current), self._crop_of_training, batch)

    def evaluation(self, split_name: str) -> tf.data.Dataset:
        """The batches of "validation" or "test": images and labels in order, with `mask` False on padding.

        Images have `input_size` pixels each way.

        Raises:
          errors.BadArgumentError: "validation", and nothing is held out.
        """
        if split_name == "validation":
            check_held_out(self.num_examples["validation"])
        cache = (self._cache_in_memory(split_name),) if self.config.holds_images else ()
        pad = stages.BatchPadWithMask(EVAL_BATCH_SIZE)
        return self._read(split_name, (self._decode, *cache, pad, *self._crop, stages.Prefetch()))

    def _read(self, split_name: str, host: tuple[Stage, ...]) -> tf.data.Dataset:
        if split_name == "test" or (split_name == "validation" and self._has_own_validation):
            return self.read(split_name, host)
        return self.read("train", (self._hold_out[split_name], *host))

    def _shuffled_batches(self, seed: int, start_step: int, rows: range | None) -> tuple[Stage, ...]:
        """Decode, cache, shuffle and batch, in the order that suits the cache."""
        config, num_train = self.config, self.num_examples["train"]
        if config.cache == "memory":
            permuted = shuffling.PermutedBatches(num_train, config.batch_size, seed, start_step, rows)
            return (self._decode, self._cache_in_memory("train"), permuted)
        if config.cache == "device":
            views = shuffling.PermutedViews(num_train, config.batch_size, seed, start_step)
            return (self._decode, self._cache_on_device, views)
        first_pass, offset = divmod(start_step * config.batch_size, num_train)
        shuffle = shuffling.WindowShuffledPasses(config.shuffle_buffer, seed, first_pass, offset)
        batch = (stages.Batch(config.batch_size), *(() if rows is None else (stages.Rows(rows),)))
        if config.cache == "disk":
            # Inside the prepared data set's own folder, so that removing the data removes the cache too.
            cache = disk_cache.CacheOnDisk(str(self._folder / prepared.CACHE / self._part("train")))
            cache.check()
            return (self._decode, cache, shuffle, *batch)
        return (shuffle, self._decode, *batch)  # decoding last: a resumed run skips examples undecoded

    def _cache_in_memory(self, split_name: str) -> memory_cache.CacheInMemory:
        return memory_cache.CacheInMemory(self.num_examples[split_name], self._part(split_name), self._cache)

    @property
    def _cache_on_device(self) -> memory_cache.CacheOnDevice:
        return memory_cache.CacheOnDevice(self.num_examples["train"], _device(), self._part("train"), self._cache)

    def _part(self, split_name: str) -> str:
        """A name of the images of a split, the same for equal images in equal order only."""
        return f"{split_name}-{self.config.num_validation}-{self.config.split_seed}-{self.fingerprints.order}"

    @property
    def _folder(self) -> pathlib.Path:
        return prepared.folder(self.config.data_dir, self.config.prepared_name)

    @property
    def _has_own_validation(self) -> bool:
        """Whether the validation examples are an official split."""
        return self.config.num_validation == OWN_VALIDATION and "validation" in self.description.num_examples

    @property
    def _crop(self) -> tuple[stages.CenterCrop, ...]:
        """The stage that keeps the part of each image that the network takes; none where that is all of it."""
        is_whole = self.input_size == self.description.image_size
        return () if is_whole else (stages.CenterCrop(self.input_size),)

    @property
    def _crop_of_training(self) -> tuple[stages.CenterCrop, ...]:
        """The same for training images, which augmentation crops, where there is any."""
        return self._crop if self.config.augmentation == "none" else ()

    @property
    def _decode(self) -> stages.Decode:
        return stages.Decode(self.description.image_size)


def _device() -> str:
    """Where batches are prefetched to; "" where the processors compute."""
    return "/GPU:0" if tf.config.list_logical_devices("GPU") else ""
