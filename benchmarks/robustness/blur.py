"""Corruptions that mix neighbouring pixels: Gaussian, glass, defocus, motion and zoom blur."""

import functools
import math

import numpy as np
import scipy.sparse
from scipy import ndimage

from benchmarks.robustness import filters
from benchmarks.robustness.filters import pixels, to_uint8, unit

ZOOM_STEP = 0.01


def gaussian_blur(image: np.ndarray, severity: int, _: np.random.Generator) -> np.ndarray:
    """A Gaussian blur."""
    sigma = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]
    return to_uint8(filters.gaussian_blur(unit(image), pixels(sigma, image)))


def glass_blur(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Each pixel is taken from near by, between two Gaussian blurs.

    The paper describes an exchange of neighbouring pixels. The authors' code copies a neighbour instead, and so do
    their images and this function.
    """
    sigma, passes = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))[severity - 1]
    sigma, reach = pixels(sigma, image), max(1, round(pixels(1, image)))
    shuffled = to_uint8(filters.gaussian_blur(unit(image), sigma))
    moved = np.arange(reach + 1, image.shape[0] - reach + 1)  # the rows and columns of pixels that are replaced
    for _ in range(passes):
        rows, columns = generator.integers(-reach, reach, (2, len(moved), len(moved)))
        rows, columns = rows + moved[:, None], columns + moved
        shuffled[moved[0] : moved[-1] + 1, moved[0] : moved[-1] + 1] = shuffled[rows, columns]
    return to_uint8(filters.gaussian_blur(unit(shuffled), sigma))


def defocus_blur(image: np.ndarray, severity: int, _: np.random.Generator) -> np.ndarray:
    """A blur by a disk whose edge is smoothed; below a radius of 1 by the smoothing alone."""
    radius, smoothing = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))[severity - 1]
    kernel = _disk(pixels(radius, image), pixels(smoothing, image), max(1, round(pixels(1, image))))
    values = unit(image)
    return to_uint8(np.stack([ndimage.correlate(values[..., c], kernel, mode="mirror") for c in range(3)], axis=-1))


@functools.cache
def _disk(radius: float, smoothing: float, reach: int) -> np.ndarray:
    """A disk, [2 N + 1, 2 N + 1], of sum 1, blurred by a Gaussian of `smoothing` pixels that is cut at `reach`."""
    size = math.floor(radius) + reach
    rows, columns = np.mgrid[-size : size + 1, -size : size + 1]
    disk = (rows**2 + columns**2 <= radius**2).astype(float)
    return ndimage.gaussian_filter(disk / disk.sum(), smoothing, radius=reach, mode="constant")


def motion_blur(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """A blur along a line within 45 degrees of the horizontal."""
    radius, sigma = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))[severity - 1]
    degrees = generator.uniform(-45.0, 45.0)
    blurred = filters.motion_blur(unit(image), pixels(radius, image), pixels(sigma, image), degrees)
    return filters.rounded_to_uint8(blurred)


def zoom_blur(image: np.ndarray, severity: int, _: np.random.Generator) -> np.ndarray:
    """The mean of the image and of its magnifications by 1.00, 1.01, 1.02 and so on."""
    count, size = (7, 12, 16, 21, 26)[severity - 1], image.shape[0]
    values, (stacked, beside) = unit(image), _magnifications(size, count)
    taller = (stacked @ values.reshape(size, -1)).reshape(count, size, size, 3)
    columns = taller.transpose(0, 2, 1, 3).reshape(count * size, -1)
    total = (beside @ columns).reshape(size, size, 3).transpose(1, 0, 2)
    return to_uint8((values + total) / (count + 1))


@functools.cache
def _magnifications(size: int, count: int) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
    """The matrices, [size, size], that magnify a column of pixels, one below the other and one beside the other.

    Bilinear interpolation is separable: rows are magnified as columns are.
    """
    factors = 1.0 + ZOOM_STEP * np.arange(count)
    matrices = [scipy.sparse.csr_array(filters.magnified(np.eye(size), factor)) for factor in factors]
    return scipy.sparse.vstack(matrices, "csr"), scipy.sparse.hstack(matrices, "csr")
