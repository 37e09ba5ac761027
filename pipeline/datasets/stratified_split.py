"""Selects a share of each class by a hash of the pixels: a set of records has one selection, in whatever order."""

import hashlib

import numpy as np

from pipeline.datasets.canonical import Digests, as_texts


def per_class(counts: np.ndarray, number: int) -> np.ndarray:
    """How many of each class make a sample of `number` of int [classes] `counts`: the same share, int [classes].

    What is left of rounding down goes to the classes that lost most by it, the first ones among equals.
    """
    total = max(int(counts.sum()), 1)
    whole, rest = np.divmod(number * counts.astype(np.int64), total)
    most = np.argsort(-rest, kind="stable")[: number - whole.sum()]
    whole[most] += 1
    return whole


def select(records: Digests, numbers: np.ndarray, salt: bytes) -> np.ndarray:
    """Whether each record is selected, bool [N]: `numbers` of each class, int [classes], or as many as there are.

    The images of each class are ranked by a hash of `salt` and their pixels, and the first are selected. Equal images
    stay together: where the selection would separate some, none of them is selected, and the next images of their
    classes take their places.
    """
    hashes = b"".join(hashlib.sha256(salt + digest.tobytes()).digest() for digest in records.pixels)
    ranked = np.argsort(as_texts(np.frombuffer(hashes, np.uint8).reshape(records.pixels.shape)), kind="stable")
    _, group = np.unique(as_texts(records.pixels), return_inverse=True)  # equal images have one group
    may_be_selected = np.ones(len(records), bool)
    while True:
        candidates = ranked[may_be_selected[ranked]]
        candidates = candidates[np.argsort(records.fine[candidates], kind="stable")]  # by class, each class as ranked
        fine = records.fine[candidates]
        counts = np.bincount(fine, minlength=len(numbers))
        rank_in_class = np.arange(len(fine)) - (np.cumsum(counts) - counts)[fine]
        is_selected = np.zeros(len(records), bool)
        is_selected[candidates[rank_in_class < numbers[fine]]] = True
        selected_of_group = np.bincount(group, is_selected)
        is_separated = (selected_of_group > 0) & (selected_of_group < np.bincount(group))
        if not is_separated.any():
            return is_selected
        may_be_selected &= ~is_separated[group]
