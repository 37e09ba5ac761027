"""Edges and equalized histograms of grey images, uint8 [S, S], for `spatter`."""

import numpy as np
from scipy import ndimage


def canny(grey: np.ndarray, low: float, high: float) -> np.ndarray:
    """The edges, bool [S, S], of a grey image, uint8 [S, S] (Canny 1986), with OpenCV's conventions.

    The gradient is Sobel's, its length the sum of its parts; an edge is a ridge of it above `low` that is connected to
    a part above `high`.
    """
    values = grey.astype(int)
    across, down = ndimage.sobel(values, 1, mode="nearest"), ndimage.sobel(values, 0, mode="nearest")
    length = np.abs(across) + np.abs(down)
    slope = np.degrees(np.arctan2(down, across)) % 180
    padded = np.pad(length, 1)

    def shifted(row: int, column: int) -> np.ndarray:
        size = len(length)
        return padded[1 + row : 1 + row + size, 1 + column : 1 + column + size]

    is_ridge = np.zeros(length.shape, bool)
    for centre, (row, column) in ((0, (0, 1)), (45, (1, 1)), (90, (1, 0)), (135, (1, -1))):
        is_along = np.abs((slope - centre + 90) % 180 - 90) <= 22.5
        is_ridge |= is_along & (length > shifted(-row, -column)) & (length >= shifted(row, column))
    labels, _ = ndimage.label(is_ridge & (length > low), np.ones((3, 3)))
    strong = np.unique(labels[is_ridge & (length > high)])
    return np.isin(labels, strong[strong > 0])


def equalized(grey: np.ndarray) -> np.ndarray:
    """A grey image whose histogram is made as even as a table of its values can: uint8 [S, S] -> the same."""
    counts = np.bincount(grey.ravel(), minlength=256)
    least = np.flatnonzero(counts)[0]
    others = grey.size - counts[least]
    if not others:
        return grey
    return np.rint(255 * (np.cumsum(counts) - counts[least]) / others).clip(0, 255).astype(np.uint8)[grey]
