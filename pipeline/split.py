"""The validation split: held out of the official training split, stratified, chosen by the pixels and a seed."""

import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from pipeline.common import errors
from pipeline.datasets.canonical import Digests, as_texts


def hold_out(train: Digests, num_validation: int, seed: int) -> dict[str, "HoldOut"]:
    """The stages that select "train" and "validation", of `num_validation` examples, from the official training split.

    errors.BadArgumentError where a class has too few images.
    """
    is_held_out = select_validation(train, num_validation, seed)
    masks = {"train": ~is_held_out, "validation": is_held_out}
    return {name: HoldOut(name, num_validation, seed, mask) for name, mask in masks.items()}


def select_validation(train: Digests, num_validation: int, seed: int) -> np.ndarray:
    """Whether each training example is held out for validation: bool [N].

    The images of each class are ranked by a hash of (seed, pixels), and the first are held out, the same share of each
    class (`per_class`). So a set of records has one split, in whatever order. Equal images stay together: where the
    split would separate some, all of them train, and the next images take their places. CIFAR-100 has 14 pairs of equal
    training images, 9 of them with two labels.

    Raises:
      errors.BadArgumentError: fewer images may be held out.
    """
    hashes = b"".join(hashlib.sha256(b"%d:" % seed + digest.tobytes()).digest() for digest in train.pixels)
    ranked = np.argsort(as_texts(np.frombuffer(hashes, np.uint8).reshape(train.pixels.shape)), kind="stable")
    _, group = np.unique(as_texts(train.pixels), return_inverse=True)  # equal images have one group
    sizes = np.bincount(train.fine)
    may_be_held_out = np.ones(len(train), bool)
    while True:
        candidates = ranked[may_be_held_out[ranked]]
        by_class = candidates[np.argsort(train.fine[candidates], kind="stable")]
        limits = np.bincount(train.fine[candidates], minlength=len(sizes))
        if limits.sum() < num_validation:
            raise errors.BadArgumentError(
                f"num_validation={num_validation}: expected at most {limits.sum()}; the others have equals"
            )
        counts, begins = per_class(sizes, num_validation, limits), np.cumsum(limits) - limits
        is_held_out = np.zeros(len(train), bool)
        for begin, count in zip(begins, counts, strict=True):
            is_held_out[by_class[begin : begin + count]] = True
        held_out_of_group = np.bincount(group, is_held_out)
        is_separated = (held_out_of_group > 0) & (held_out_of_group < np.bincount(group))
        if not is_separated.any():
            return is_held_out
        may_be_held_out &= ~is_separated[group]


def per_class(sizes: np.ndarray, number: int, limits: np.ndarray) -> np.ndarray:
    """How many of each class make a sample of `number` images: the same share of each one's size, int [classes].

    What rounding down leaves goes to the classes that lose most by it, the first ones among equals. No class gives more
    than its limit; others give the rest, one each in turns. The limits sum to `number` at least.
    """
    counts, lost = np.divmod(number * sizes, max(sizes.sum(), 1))
    counts[np.argsort(-lost, kind="stable")[: number - counts.sum()]] += 1
    counts = np.minimum(counts, limits)
    while counts.sum() < number:
        has_more = np.flatnonzero(counts < limits)
        counts[has_more[: number - counts.sum()]] += 1
    return counts


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
