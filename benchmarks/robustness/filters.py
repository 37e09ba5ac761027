"""What several corruptions share: pixels as numbers, lengths by the size of the image, blurs and a zoom.

Arrays are float64 [S, S] or [S, S, 3]. Lengths of the paper are pixels of images of 32 x 32; at another size they are
the same share of the image.
"""

import math

import numpy as np
from scipy import ndimage

CIFAR_SIZE = 32  # pixels, of the images that the paper's lengths are for


def unit(image: np.ndarray) -> np.ndarray:
    """The pixels of an image, uint8 [S, S, 3], as numbers from 0 to 1."""
    return image / 255.0


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Numbers, of which those from 0 to 1 can be shown, as uint8; fractions are cut off, as the authors do."""
    return (np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def rounded_to_uint8(values: np.ndarray) -> np.ndarray:
    """Numbers, of which those from 0 to 1 can be shown, as uint8; fractions are rounded, as ImageMagick does."""
    return np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def pixels(length: float, image: np.ndarray) -> float:
    """A length in pixels of this image, from one in pixels of an image of 32 x 32."""
    return length * image.shape[0] / CIFAR_SIZE


def gaussian_blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred by a Gaussian of `sigma` pixels, cut at 4 sigma, as scikit-image does; the border is repeated."""
    return ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=4.0, axes=(0, 1))


def motion_blur(values: np.ndarray, radius: float, sigma: float, degrees: float) -> np.ndarray:
    """Blurred along a line to one side, with the weights of half a Gaussian; the border is repeated.

    The line has 2 x radius + 1 taps, each at a whole pixel. This is ImageMagick's definition (MotionBlurImage).
    """
    steps = np.arange(2 * math.ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2.0 * sigma**2))
    weights /= weights.sum()
    angle = math.radians(degrees)
    columns = np.ceil(steps * math.cos(angle) - 0.5).astype(int)
    rows = np.ceil(steps * math.sin(angle) - 0.5).astype(int)
    margin = len(steps)
    border = ((margin, margin), (margin, margin)) + ((0, 0),) * (values.ndim - 2)
    padded = np.pad(values, border, mode="edge")
    height, width = values.shape[:2]
    blurred = np.zeros_like(values)
    for weight, row, column in zip(weights, margin + rows, margin + columns, strict=True):
        blurred += weight * padded[row : row + height, column : column + width]
    return blurred


def zoomed(values: np.ndarray, factor: float) -> np.ndarray:
    """The centre, magnified by `factor` of at least 1 with bilinear interpolation, in the size of `values`."""
    return magnified(magnified(values, factor).swapaxes(0, 1), factor).swapaxes(0, 1)


def magnified(values: np.ndarray, factor: float) -> np.ndarray:
    """The rows in the middle, magnified as by `zoomed`: as many rows as `values` has."""
    size = len(values)
    cropped = math.ceil(size / factor)
    begin = (size - cropped) // 2
    larger = ndimage.zoom(values[begin : begin + cropped], (factor, *(1,) * (values.ndim - 1)), order=1)
    trim = (len(larger) - size) // 2
    return larger[trim : trim + size]
