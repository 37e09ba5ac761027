"""What the training loop and the evaluation read: batches, as visible tuples of stages.

    examples of a split ─▶ cache, shuffle, batch ─▶ prefetch ──uint8──▶ device

The training stream has no end and knows no epochs: it is full batch after full batch, and `Epochs` says at which steps
of it an epoch begins. So no example is ever dropped, every step has one shape, and batch k follows from (seed, k).
"""

import dataclasses
import fractions
import math

import tensorflow as tf

from pipeline import source, split, stages
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared
from pipeline.stages import Stage

EVAL_BATCH_SIZE = 500


@dataclasses.dataclass(frozen=True)
class Epochs:
    """Where the epochs of a run lie in the endless stream of training batches.

    An epoch is `views` images; where `batch_size` does not divide them, the batch at the border belongs to the epoch
    that it begins in. `epochs` may have a fraction: the last epoch is then a part of one.
    """

    views: int
    batch_size: int
    epochs: float
    max_steps: int = 0

    @classmethod
    def of(cls, config: DataConfig, num_train: int, epochs: float, max_steps: int = 0) -> "Epochs":
        """The epochs of a run over `num_train` examples, or over the configuration's virtual ones."""
        views = config.virtual_examples
        if 0 < views < config.batch_size:
            raise errors.BadArgumentError(
                f"virtual_examples={views}: expected at least one batch of {config.batch_size}"
            )
        return cls(views or num_train, config.batch_size, epochs, max_steps)

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        steps = self.first_step(self.epochs)
        return min(steps, self.max_steps) if self.max_steps else steps

    @property
    def count(self) -> int:
        """Epochs begun, the partial last one included."""
        numbers = range(math.ceil(self.epochs))
        return next(number + 1 for number in numbers if self.last_step(number) == self.total_steps)

    def first_step(self, epoch: float) -> int:
        """The step that epoch `epoch` begins with; the first epoch is 0."""
        # Exact: in floating point 1.1 x 50,000 / 100 is a little more than 550.
        return math.ceil(fractions.Fraction(str(epoch)) * self.views / self.batch_size)

    def last_step(self, epoch: int) -> int:
        """The step behind the last one of epoch `epoch`."""
        return min(self.first_step(epoch + 1), self.total_steps)


def train_stages(config: DataConfig, part: split.KeepPart, seed: int, start_step: int) -> tuple[Stage, ...]:
    """The host's stages from the official training split to uint8 batches, beginning with batch `start_step`."""
    if config.batch_size > part.size:
        raise errors.BadArgumentError(
            f"batch_size={config.batch_size}: expected at most the {part.size} training examples; lower --batch_size"
        )
    return (
        part,
        *_shuffled_batches(config, part.size, seed, start_step),
        stages.Prefetch(device=_first_gpu()),  # ---- the host ends here: uint8 crosses to the device
    )


def _shuffled_batches(config: DataConfig, num_examples: int, seed: int, start_step: int) -> tuple[Stage, ...]:
    """Decode, cache, shuffle and batch, in the order that suits where the examples wait."""
    if config.cache == "memory":
        key = _key(config, "train")
        permuted = stages.PermutedBatchesFromMemory(num_examples, config.batch_size, seed, start_step, key)
        return (stages.Decode(), permuted)
    first_pass, offset = divmod(start_step * config.batch_size, num_examples)
    shuffle = stages.WindowShuffledPasses(config.shuffle_buffer, seed, first_pass, offset)
    batch = stages.Batch(config.batch_size)
    if config.cache == "disk":
        return (stages.Decode(), stages.CacheOnDisk(_cache_folder(config)), shuffle, batch)
    return (shuffle, stages.Decode(), batch)  # behind the shuffle, so that what a resumed run skips is not decoded


def train_batches(config: DataConfig, builder: source.Builder, seed: int, start_step: int = 0) -> tf.data.Dataset:
    """Endless training batches from `start_step` on.

    uint8 [B, 32, 32, 3] `image`, int32 [B] `fine` and `coarse`, int64 [B] `index` and `pass_number` (stages.NUMBERS).
    """
    part = split.keep("train", config, builder)
    return stages.chain(source.read(builder, "train"), train_stages(config, part, seed, start_step))


def eval_batches(config: DataConfig, builder: source.Builder, split_name: str) -> tf.data.Dataset:
    """The batches of "validation" or "test": images and labels in order, with `mask` False on padding.

    Raises:
      errors.BadArgumentError: nothing was held out for validation.
    """
    if split_name == "test":
        num_examples = source.num_examples(builder, "test")
        return stages.chain(source.read(builder, "test"), _eval_stages(config, "test", num_examples))
    part = split.keep("validation", config, builder)
    if not part.size:
        raise errors.BadArgumentError("num_validation=0: nothing is held out for validation; use --split=test")
    return stages.chain(source.read(builder, "train"), (part, *_eval_stages(config, "validation", part.size)))


def _eval_stages(config: DataConfig, split_name: str, num_examples: int) -> tuple[Stage, ...]:
    cache = (stages.HoldInMemory(num_examples, _key(config, split_name)),) if config.cache == "memory" else ()
    return (stages.Decode(), *cache, stages.BatchPadWithMask(EVAL_BATCH_SIZE), stages.Prefetch())


def _key(config: DataConfig, split_name: str) -> str:
    """What these examples are, for as long as the prepared data set stays as it is."""
    folder = prepared.folder(config.data_dir, config.dataset)
    written_ns = (folder / "dataset_info.json").stat().st_mtime_ns
    return f"{folder}@{written_ns} {split_name} {config.num_validation} {config.split_seed}"


def _cache_folder(config: DataConfig) -> str:
    """Inside the prepared data set's own folder: whoever removes the data removes what was cached of them."""
    name = f"decoded-chunks-train-{config.num_validation}-{config.split_seed}"
    return str(prepared.folder(config.data_dir, config.dataset) / "cache" / name)


def _first_gpu() -> str:
    return "/GPU:0" if tf.config.list_logical_devices("GPU") else ""
