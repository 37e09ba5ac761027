"""The validation split: held out of the official training split, stratified, chosen by the pixels and a seed."""

import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.datasets import labels
from pipeline.datasets.canonical import Digests, as_texts


def hold_out(config: DataConfig, train: Digests) -> dict[str, "HoldOut"]:
    """The stages that select "train" and "validation" from the official training split.

    Raises:
      errors.BadArgumentError: `config.num_validation` does not fit the data set.
    """
    config.num_train(len(train))
    num_validation = config.num_validation
    is_held_out = select_validation(train, num_validation, config.split_seed)
    masks = {"train": ~is_held_out, "validation": is_held_out}
    return {name: HoldOut(name, num_validation, config.split_seed, mask) for name, mask in masks.items()}


def select_validation(train: Digests, num_validation: int, seed: int) -> np.ndarray:
    """Whether each training example is held out for validation: bool [N].

    The images of each class are ranked by a hash of (seed, pixels), and the first `num_validation / 100` are held out.
    So a set of records has one split, in whatever order. Equal images stay together: where the split would separate
    some, all of them train, and the next images of their classes take their places. CIFAR-100 has 14 pairs of equal
    training images, 9 of them with two labels.

    Raises:
      errors.BadArgumentError: a class has too few images.
    """
    hashes = b"".join(hashlib.sha256(b"%d:" % seed + digest.tobytes()).digest() for digest in train.pixels)
    ranked = np.argsort(as_texts(np.frombuffer(hashes, np.uint8).reshape(train.pixels.shape)), kind="stable")
    _, group = np.unique(as_texts(train.pixels), return_inverse=True)  # equal images have one group
    per_class = num_validation // labels.NUM_FINE
    may_be_held_out = np.ones(len(train), bool)
    while True:
        is_held_out = np.zeros(len(train), bool)
        for label in range(labels.NUM_FINE):
            candidates = ranked[(train.fine[ranked] == label) & may_be_held_out[ranked]]
            if len(candidates) < per_class:
                raise errors.BadArgumentError(
                    f"num_validation={num_validation}: expected {per_class} images of each class, but class {label} "
                    f"has {len(candidates)} that may be held out"
                )
            is_held_out[candidates[:per_class]] = True
        held_out_of_group = np.bincount(group, is_held_out)
        is_separated = (held_out_of_group > 0) & (held_out_of_group < np.bincount(group))
        if not is_separated.any():
            return is_held_out
        may_be_held_out &= ~is_separated[group]


@dataclasses.dataclass(frozen=True)
class HoldOut:
    """Selects one part of the official training split: `split` is "train" or "validation".

    `mask`, bool [N], is whether each example belongs to the part.
    """

    split: str
    num_validation: int
    seed: int
    mask: np.ndarray = dataclasses.field(repr=False, compare=False)

    @property
    def size(self) -> int:
        """The number of examples in this part."""
        return int(self.mask.sum())

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks of the official training split in its fixed order -> chunks of this part, in the same order."""
        if self.num_validation == 0:
            return dataset if self.split == "train" else dataset.take(0)
        mask = tf.constant(self.mask)

        def select(begin: tf.Tensor, chunk: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            end = begin + tf.shape(chunk["fine"])[0]
            return end, {name: tf.boolean_mask(column, mask[begin:end]) for name, column in chunk.items()}

        return dataset.scan(tf.constant(0), select)
