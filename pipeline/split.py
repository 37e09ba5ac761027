"""The validation split: held out of the official training split, stratified, before any shuffle, fixed by a seed."""

import contextlib
import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from pipeline.common import errors, files, seeds
from pipeline.data_config import DataConfig
from pipeline.datasets import labels, prepared


def select_split(name: str, config: DataConfig, num_examples: int) -> "HoldOut":
    """The stage that selects "train" or "validation" from the `num_examples` of the official training split."""
    # Inside the prepared data set's own folder, so that removing the data removes the mask too.
    mask = f"held-out-{config.num_validation}-{config.split_seed}.npy"
    mask_path = prepared.folder(config.data_dir, config.dataset) / "cache" / mask
    return HoldOut(name, num_examples, config.num_validation, config.split_seed, str(mask_path))


@dataclasses.dataclass(frozen=True)
class HoldOut:
    """Selects one part of the official training split: `split` is "train" or "validation".

    Each class gives exactly `num_validation / 100` examples to validation, chosen by selection sampling in one pass
    over the stream (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): of the remaining examples of a
    class, each is held out with probability needed / remaining. Drawing takes seconds, so the result is stored as
    bool [N] in the file `mask_path`, if there is one.
    """

    split: str
    num_examples: int
    num_validation: int
    seed: int
    mask_path: str = dataclasses.field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.num_validation % labels.NUM_FINE or self.num_validation >= self.num_examples:
            raise errors.BadArgumentError(
                f"num_validation={self.num_validation}: expected a multiple of {labels.NUM_FINE} (classes) below the "
                f"{self.num_examples} training examples"
            )

    @property
    def size(self) -> int:
        """The number of examples in this part."""
        return self.num_validation if self.split == "validation" else self.num_examples - self.num_validation

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks of the official training split in its fixed order -> chunks of this part, in the same order."""
        if self.num_validation == 0:
            return dataset if self.split == "train" else dataset.take(0)
        is_held_out = self._read_mask()
        if is_held_out is None:
            is_held_out = self._draw_mask(dataset)
            self._write_mask(is_held_out)
        mask = tf.constant(is_held_out == (self.split == "validation"))

        def select(begin: tf.Tensor, chunk: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            end = begin + tf.shape(chunk["fine"])[0]
            return end, {name: tf.boolean_mask(column, mask[begin:end]) for name, column in chunk.items()}

        return dataset.scan(tf.constant(0), select)

    def _draw_mask(self, dataset: tf.data.Dataset) -> np.ndarray:
        """Whether each example of the stream is held out: bool [N]."""
        seed = seeds.derive(self.seed, "split")
        per_class = [self.num_examples // labels.NUM_FINE, self.num_validation // labels.NUM_FINE]
        start = (tf.constant([per_class] * labels.NUM_FINE, tf.int32), tf.constant(0, tf.int64))

        def decide(state: tuple[tf.Tensor, tf.Tensor], fine: tf.Tensor) -> tuple:
            counts, position = state
            remaining, needed = tf.unstack(counts[fine])
            below = tf.maximum(remaining, 1)  # a class with too many examples is rejected once all are counted
            own_seed = seeds.fold(seed, position)
            drawn = tf.random.stateless_uniform([], own_seed, maxval=below, dtype=tf.int32, alg=seeds.ALGORITHM)
            is_held_out = drawn < needed
            counts = tf.tensor_scatter_nd_sub(counts, [[fine]], [[1, tf.cast(is_held_out, tf.int32)]])
            return (counts, position + 1), is_held_out

        decided = dataset.map(lambda chunk: chunk["fine"]).unbatch().scan(start, decide)
        is_held_out = np.concatenate([np.zeros(0, bool), *decided.batch(10_000).as_numpy_iterator()])
        if (len(is_held_out), is_held_out.sum()) != (self.num_examples, self.num_validation):
            raise errors.FailedError(
                f"expected {self.num_examples} training examples, {self.num_validation} of them to hold out, as many "
                f"of each class; got {len(is_held_out)} and {is_held_out.sum()}: prepare the data set again"
            )
        return is_held_out

    def _read_mask(self) -> np.ndarray | None:
        try:
            mask = np.load(self.mask_path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        is_whole = mask.dtype == bool and mask.shape == (self.num_examples,) and mask.sum() == self.num_validation
        return mask if is_whole else None

    def _write_mask(self, mask: np.ndarray) -> None:
        if not self.mask_path:
            return
        path = pathlib.Path(self.mask_path)
        with contextlib.suppress(OSError):  # a read-only data folder: the mask is drawn again next time
            path.parent.mkdir(exist_ok=True)
            with files.replacing(path) as temporary:
                np.save(temporary, mask, allow_pickle=False)
