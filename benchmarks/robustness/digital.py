"""Corruptions by processing: contrast, elastic transformation, pixelation, JPEG compression and saturation."""

import io

import numpy as np
import PIL.Image
from matplotlib import colors
from scipy import ndimage

from benchmarks.robustness.filters import CIFAR_SIZE, pixels, to_uint8, unit


def contrast(image: np.ndarray, severity: int, _: np.random.Generator) -> np.ndarray:
    """Differences from the mean of each channel are made smaller."""
    kept = (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1]
    values = unit(image)
    mean = values.mean((0, 1))
    return to_uint8((values - mean) * kept + mean)


def elastic_transform(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """A random affine transformation, then a random displacement that is smooth."""
    displacement, sigma, shift = (
        (0.0, 0.0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    )[severity - 1]
    size = image.shape[0]
    matrix, offset = _affine(size, generator.uniform(-shift * size, shift * size, (3, 2)))
    # The blur divides the displacement by its sigma in pixels.
    drawn = pixels(displacement * size, image) * generator.uniform(-1.0, 1.0, (2, size, size))
    smooth = ndimage.gaussian_filter(drawn, sigma * size, mode="reflect", truncate=3.0, axes=(1, 2))
    places = np.mgrid[:size, :size] + smooth
    moved = []
    for channel in np.moveaxis(unit(image), -1, 0):
        turned = ndimage.affine_transform(channel, matrix, offset, order=1, mode="mirror")
        moved.append(ndimage.map_coordinates(turned, places, order=1, mode="reflect"))
    return to_uint8(np.stack(moved, axis=-1))


def _affine(size: int, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The map from places, rows and columns, of the transformed image to those of the image: a matrix and an offset.

    It moves three corners of the central square by `shifts`, [3, 2] rows and columns.
    """
    centre, half = size // 2, size // 3
    corners = centre + half * np.array([[1, 1], [-1, 1], [-1, -1]])
    moved = np.column_stack([corners + shifts, np.ones(3)])
    solved = np.linalg.solve(moved, corners)  # [3, 2]: the rows of the transposed matrix, then the offset
    return solved[:2].T, solved[2]


def pixelate(image: np.ndarray, severity: int, _: np.random.Generator) -> np.ndarray:
    """Reduced to fewer pixels, and enlarged again without smoothing."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1]
    size = image.shape[0]
    fewer = int(min(size, CIFAR_SIZE) * share)
    box = PIL.Image.Resampling.BOX
    return np.asarray(PIL.Image.fromarray(image).resize((fewer, fewer), box).resize((size, size), box))


def jpeg_compression(image: np.ndarray, severity: int, _: np.random.Generator) -> np.ndarray:
    """Compressed by JPEG."""
    quality = (80, 65, 58, 50, 40)[severity - 1]
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(file))


def saturate(image: np.ndarray, severity: int, _: np.random.Generator) -> np.ndarray:
    """The saturation of each pixel in HSV is multiplied, and raised at the two highest severities."""
    factor, added = ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2))[severity - 1]
    hsv = colors.rgb_to_hsv(unit(image))
    hsv[..., 1] = np.clip(hsv[..., 1] * factor + added, 0.0, 1.0)
    return to_uint8(colors.hsv_to_rgb(hsv))
