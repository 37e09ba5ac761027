"""Selects the same share of each class by a hash of the pixels: a set of records has one selection, in any order."""

import hashlib

import numpy as np

from pipeline.datasets.canonical import Digests, as_texts


def select(records: Digests, number: int, salt: bytes) -> np.ndarray:
    """Whether each record is selected, bool [N]: `number` of them, or fewer where equal images leave no other choice.

    The images of each class are ranked by a hash of `salt` and their pixels, and the first are selected, the same share
    of each class (`per_class`). Equal images stay together: where the selection would separate some, none of them is
    selected, and the next images take their places.
    """
    hashes = b"".join(hashlib.sha256(salt + digest.tobytes()).digest() for digest in records.pixels)
    ranked = np.argsort(as_texts(np.frombuffer(hashes, np.uint8).reshape(records.pixels.shape)), kind="stable")
    _, group = np.unique(as_texts(records.pixels), return_inverse=True)  # equal images have one group
    sizes = np.bincount(records.fine)
    may_be_selected = np.ones(len(records), bool)
    while True:
        candidates = ranked[may_be_selected[ranked]]
        by_class = candidates[np.argsort(records.fine[candidates], kind="stable")]
        limits = np.bincount(records.fine[candidates], minlength=len(sizes))
        counts, begins = per_class(sizes, min(number, int(limits.sum())), limits), np.cumsum(limits) - limits
        is_selected = np.zeros(len(records), bool)
        for begin, count in zip(begins, counts, strict=True):
            is_selected[by_class[begin : begin + count]] = True
        selected_of_group = np.bincount(group, is_selected)
        is_separated = (selected_of_group > 0) & (selected_of_group < np.bincount(group))
        if not is_separated.any():
            return is_selected
        may_be_selected &= ~is_separated[group]


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
