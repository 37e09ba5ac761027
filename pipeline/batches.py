"""Opened data: a prepared data set as batches, by visible tuples of stages.

    examples of a split ─▶ cache, shuffle, batch ─▶ prefetch ──uint8──▶ device

The training stream has no end and no epochs: it is full batch after full batch, and `EpochSchedule` gives the steps at
which epochs begin. So no example is ever dropped, every step has one shape, and batch k follows from (seed, k).
"""

import contextlib
import dataclasses
import fractions
import math
import pathlib
from typing import ClassVar

import tensorflow as tf

from pipeline import contents, disk_cache, source, split, stages
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.datasets import integrity, prepared
from pipeline.datasets.canonical import Fingerprints
from pipeline.stages import Stage

EVAL_BATCH_SIZE = 500
MAX_STEPS = 10**18  # a run never ends there; numbers of steps are int64


@dataclasses.dataclass(frozen=True)
class EpochSchedule:
    """Where the epochs of a run lie in the endless stream of training batches.

    An epoch is `views` images; where `batch_size` does not divide them, the batch at the border belongs to the epoch
    that it begins in. `epochs` may have a fraction: the last epoch is then a part of one.
    """

    views: int
    batch_size: int
    epochs: float
    max_steps: int = 0

    @classmethod
    def from_config(cls, config: DataConfig, num_train: int, epochs: float, max_steps: int = 0) -> "EpochSchedule":
        """The epochs of a run over `num_train` examples, or over the configuration's virtual ones.

        Raises:
          errors.BadArgumentError: there are fewer virtual examples than a batch has, or more steps than MAX_STEPS.
        """
        views = config.virtual_examples
        if 0 < views < config.batch_size:
            raise errors.BadArgumentError(
                f"virtual_examples={views}: expected at least one batch of {config.batch_size}"
            )
        schedule = cls(views or num_train, config.batch_size, epochs, max_steps)
        if schedule.total_steps > MAX_STEPS:
            raise errors.BadArgumentError(
                f"epochs={epochs:g} and max_steps={max_steps}: expected at most {MAX_STEPS:.0e} steps; set a lower one"
            )
        return schedule

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        steps = self.first_step(self.epochs)
        return min(steps, self.max_steps) if self.max_steps else steps

    @property
    def count(self) -> int:
        """Epochs begun, the partial last one included."""
        return (self.total_steps - 1) * self.batch_size // self.views + 1

    def first_step(self, epoch: float) -> int:
        """The step that epoch `epoch` begins with; the first epoch is 0."""
        # Exact: in floating point 1.1 x 50,000 / 100 is a little more than 550.
        return math.ceil(fractions.Fraction(str(epoch)) * self.views / self.batch_size)

    def last_step(self, epoch: int) -> int:
        """The step after the last one of epoch `epoch`."""
        return min(self.first_step(epoch + 1), self.total_steps)


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
        if config.batch_size > num_train:
            raise errors.BadArgumentError(
                f"batch_size={config.batch_size}: expected at most the {num_train} training examples"
            )
        device = "/GPU:0" if tf.config.list_logical_devices("GPU") else ""
        return (self._hold_out["train"], *self._shuffled_batches(seed, start_step), stages.Prefetch(device=device))

    def evaluation(self, split_name: str) -> tf.data.Dataset:
        """The batches of "validation" or "test": images and labels in order, with `mask` False on padding.

        Raises:
          errors.BadArgumentError: "validation", and nothing is held out.
        """
        if not self.num_examples[split_name]:
            raise errors.BadArgumentError("num_validation=0: nothing is held out for validation; use --split=test")
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
