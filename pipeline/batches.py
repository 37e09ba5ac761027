"""Opened data: a prepared data set as batches, by visible tuples of stages.

    examples of a split ─▶ cache, shuffle, batch ─▶ prefetch ──uint8──▶ device

The training stream has no end and no epochs: it is full batch after full batch, and `epochs.EpochSchedule` gives the
steps at which epochs begin. So no example is ever dropped, every step has one shape, and batch k follows from
(seed, k).
"""

import contextlib
import pathlib
from typing import ClassVar

import tensorflow as tf

from pipeline import contents, disk_cache, source, split, stages
from pipeline.data_config import DataConfig
from pipeline.datasets import integrity, prepared
from pipeline.datasets.canonical import Fingerprints
from pipeline.stages import Stage

EVAL_BATCH_SIZE = 500


class OpenedData:
    """A prepared data set, split, cached, shuffled and batched as its configuration says.

    Split names are "train" and "validation", which are parts of the official training split, and "test".

    Attributes:
      config: the configuration.
      num_examples: {split name: number of examples}.
      fingerprints: of the data set's records and of their order.
      label_names: {"fine": [...], "coarse": [...]}, in the order of the labels.

    Raises:
      errors.BadArgumentError: `config.num_validation` does not fit the data set.
      errors.FailedError: the data set is not prepared in `config.data_dir`.
    """

    # Of the process: a worker that trains many models in a row decodes their images once.
    _cache: ClassVar = stages.MemoryCache()

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self._builder = source.open_builder(config)
        digests = contents.read(self._folder)
        self.fingerprints = Fingerprints.of(digests)
        self._hold_out = split.hold_out(config, digests["train"])
        self.num_examples = {name: stage.size for name, stage in self._hold_out.items()}
        self.num_examples["test"] = source.num_examples(self._builder, "test")
        features = self._builder.info.features
        self.label_names = {"fine": features["label"].names, "coarse": features["coarse_label"].names}

    def read(self, official_split: str, host: tuple[Stage, ...] = ()) -> tf.data.Dataset:
        """The chunks of the official "train" or "test" split (`source.read`) behind the stages `host`."""
        with self.reading():  # a cache in memory reads at once
            return stages.chain(source.read(self._builder, official_split), host)

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """A context in which an error of reading a damaged record file becomes errors.DamagedError."""
        return integrity.reading(self._folder)

    def examples(self, split_name: str) -> tf.data.Dataset:
        """The decoded chunks of a split, in the order of the files, without a cache."""
        return self._read(split_name, (stages.Decode(),))

    def train(self, seed: int, start_step: int = 0) -> tf.data.Dataset:
        """Endless training batches from `start_step` on.

        uint8 [B, 32, 32, 3] `image`, int32 [B] `fine` and `coarse`, int64 [B] `index` and `pass_number`
        (stages.VIEW_KEYS). A batch larger than the training split, or a disk cache that cannot be written, raises
        errors.BadArgumentError.
        """
        return self.read("train", self.train_stages(seed, start_step))

    def train_stages(self, seed: int, start_step: int = 0) -> tuple[Stage, ...]:
        """The host's stages from the official training split to uint8 batches; arguments and errors as `train`."""
        config, num_train = self.config, self.num_examples["train"]
        config.check_batch_size(num_train)
        device = "/GPU:0" if tf.config.list_logical_devices("GPU") else ""
        return (self._hold_out["train"], *self._shuffled_batches(seed, start_step), stages.Prefetch(device=device))

    def evaluation(self, split_name: str) -> tf.data.Dataset:
        """The batches of "validation" or "test": images and labels in order, with `mask` False on padding.

        Raises:
          errors.BadArgumentError: "validation", and nothing is held out.
        """
        if split_name == "validation":
            self.config.check_held_out()
        cache = (self._cache_in_memory(split_name),) if self.config.cache == "memory" else ()
        pad = stages.BatchPadWithMask(EVAL_BATCH_SIZE)
        return self._read(split_name, (stages.Decode(), *cache, pad, stages.Prefetch()))

    def _read(self, split_name: str, host: tuple[Stage, ...]) -> tf.data.Dataset:
        if split_name == "test":
            return self.read("test", host)
        return self.read("train", (self._hold_out[split_name], *host))

    def _shuffled_batches(self, seed: int, start_step: int) -> tuple[Stage, ...]:
        """Decode, cache, shuffle and batch, in the order that suits the cache."""
        config, num_train = self.config, self.num_examples["train"]
        if config.cache == "memory":
            permuted = stages.PermutedBatches(num_train, config.batch_size, seed, start_step)
            return (stages.Decode(), self._cache_in_memory("train"), permuted)
        first_pass, offset = divmod(start_step * config.batch_size, num_train)
        shuffle = stages.WindowShuffledPasses(config.shuffle_buffer, seed, first_pass, offset)
        batch = stages.Batch(config.batch_size)
        if config.cache == "disk":
            # Inside the prepared data set's own folder, so that removing the data removes the cache too.
            cache = disk_cache.CacheOnDisk(str(self._folder / prepared.CACHE / self._part("train")))
            cache.check()
            return (stages.Decode(), cache, shuffle, batch)
        return (shuffle, stages.Decode(), batch)  # decoding last: a resumed run skips examples undecoded

    def _cache_in_memory(self, split_name: str) -> stages.CacheInMemory:
        return stages.CacheInMemory(self.num_examples[split_name], self._part(split_name), self._cache)

    def _part(self, split_name: str) -> str:
        """A name of the images of a split, the same for equal images in equal order only."""
        return f"{split_name}-{self.config.num_validation}-{self.config.split_seed}-{self.fingerprints.order}"

    @property
    def _folder(self) -> pathlib.Path:
        return prepared.folder(self.config.data_dir, self.config.dataset)
