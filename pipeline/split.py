"""The validation split: held out of the official training split, stratified, chosen by the pixels and a seed."""

import dataclasses

import numpy as np
import tensorflow as tf

from pipeline.common import errors
from pipeline.datasets import stratified_split
from pipeline.datasets.canonical import Digests


def hold_out(train: Digests, num_validation: int, seed: int, may_be_fewer: bool = False) -> dict[str, "HoldOut"]:
    """The stages that select "train" and "validation" from the official training split.

    Arguments and errors are as of `select_validation`.
    """
    is_held_out = select_validation(train, num_validation, seed, may_be_fewer)
    masks = {"train": ~is_held_out, "validation": is_held_out}
    return {name: HoldOut(name, int(is_held_out.sum()), seed, mask) for name, mask in masks.items()}


def select_validation(train: Digests, num_validation: int, seed: int, may_be_fewer: bool = False) -> np.ndarray:
    """Whether each training example is held out for validation: bool [N].

    They are selected as by `stratified_split.select`: the same share of each class, and equal images stay together.
    CIFAR-100 has 14 pairs of equal training images, 9 of them with two labels.

    Raises:
      errors.BadArgumentError: equal images leave fewer than `num_validation`, unless it `may_be_fewer`.
    """
    is_held_out = stratified_split.select(train, num_validation, b"%d:" % seed)
    if np.count_nonzero(is_held_out) < num_validation and not may_be_fewer:
        raise errors.BadArgumentError(
            f"num_validation={num_validation}: expected at most {np.count_nonzero(is_held_out)}; the others have equals"
        )
    return is_held_out


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
