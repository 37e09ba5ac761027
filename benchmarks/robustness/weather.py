"""Corruptions by the weather: snow, frost, fog and spatter; and brightness, which the paper counts among them."""

import numpy as np
from matplotlib import colors
from scipy import ndimage

from benchmarks.robustness import edges, filters
from benchmarks.robustness.filters import pixels, to_uint8, unit

LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue in grey (ITU-R BT.601)
WATER, MUD = np.array([175, 238, 238]) / 255, np.array([63, 42, 20]) / 255
# Of crops of the authors' five photographs: mean red, green and blue, and the deviation of grey within a crop.
FROST_COLORS = np.array([[78, 149, 165], [198, 202, 212], [198, 202, 212], [142, 157, 170], [104, 115, 127]])
FROST_DEVIATIONS = (14, 18, 18, 26, 34)
FAR = 20.0  # pixels from the edge of a drop; what is farther counts as near as that
FROST_DECAY = 1.4  # their power falls with frequency as that of the photographs, to the power -1.2


def snow(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Flakes that fall within 45 degrees of the vertical, in two layers, over an image that is made paler."""
    mean, deviation, zoom, threshold, radius, sigma, kept = (
        (0.1, 0.2, 1.0, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[severity - 1]
    values = unit(image)
    layer = filters.zoomed(generator.normal(mean, deviation, image.shape[:2]), max(1.0, pixels(zoom, image)))
    layer = unit(to_uint8(np.where(layer < threshold, 0.0, layer)))
    degrees = generator.uniform(-135.0, -45.0)
    blurred = filters.motion_blur(layer, pixels(radius, image), pixels(sigma, image), degrees)
    layer = unit(filters.rounded_to_uint8(blurred))
    pale = np.maximum(values, (1.5 * values @ LUMA + 0.5)[..., None])
    return to_uint8(kept * values + (1 - kept) * pale + (layer + np.rot90(layer, 2))[..., None])


def frost(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Crystals of ice laid over the image.

    The paper takes crops of photographs of frost. Here the crystals are drawn: ridges of a fractal, with the mean color
    and the contrast of one of those photographs.
    """
    kept, added = ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))[severity - 1]
    photograph = generator.integers(len(FROST_COLORS))
    first, second = (_fractal(image.shape[0], FROST_DECAY, generator) for _ in range(2))
    ridges = -(np.minimum(np.abs(first - np.median(first)), np.abs(second - np.median(second))) ** 0.5)
    texture = FROST_DEVIATIONS[photograph] * (ridges - ridges.mean()) / (ridges.std() + 1e-9)
    ice = np.clip(FROST_COLORS[photograph] + texture[..., None], 0, 255)
    return to_uint8(kept * unit(image) + added * ice / 255)


def fog(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """A fractal cloud added to the image, whose greatest value stays."""
    amount, decay = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))[severity - 1]
    values = unit(image)
    greatest = values.max()
    cloud = _fractal(image.shape[0], decay**2, generator)
    return to_uint8((values + amount * cloud[..., None]) * greatest / (greatest + amount))


def _fractal(size: int, decay: float, generator: np.random.Generator) -> np.ndarray:
    """A plasma fractal, [size, size], from 0 to 1, by the diamond-square algorithm on a torus.

    Each round halves the distance of the points and divides the greatest random change by `decay`.
    """
    heights, change = np.zeros((1, 1)), 1.0
    while len(heights) < size:
        right, below = np.roll(heights, -1, 1), np.roll(heights, -1, 0)
        centres = (heights + right + below + np.roll(below, -1, 1)) / 4 + generator.uniform(
            -change, change, heights.shape
        )
        above = (heights + right + centres + np.roll(centres, 1, 0)) / 4
        beside = (heights + below + centres + np.roll(centres, 1, 1)) / 4
        finer = np.empty((2 * len(heights), 2 * len(heights)))
        finer[::2, ::2], finer[1::2, 1::2] = heights, centres
        finer[::2, 1::2] = above + generator.uniform(-change, change, above.shape)
        finer[1::2, ::2] = beside + generator.uniform(-change, change, beside.shape)
        heights, change = finer, change / decay
    heights -= heights.min()
    return (heights / (heights.max() or 1.0))[:size, :size]


def brightness(image: np.ndarray, severity: int, _: np.random.Generator) -> np.ndarray:
    """The value of each pixel in HSV is raised."""
    added = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    hsv = colors.rgb_to_hsv(unit(image))
    hsv[..., 2] = np.clip(hsv[..., 2] + added, 0.0, 1.0)
    return to_uint8(colors.hsv_to_rgb(hsv))


def spatter(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Drops of water, of the two highest severities mud, on the lens."""
    mean, deviation, sigma, threshold, strength = (
        (0.62, 0.1, 0.7, 0.7, 0.5),
        (0.65, 0.1, 0.8, 0.7, 0.5),
        (0.65, 0.3, 1.0, 0.69, 0.5),
        (0.65, 0.1, 0.7, 0.69, 0.6),
        (0.65, 0.1, 0.5, 0.68, 0.6),
    )[severity - 1]
    values = unit(image)
    # The blur divides the deviation by its sigma in pixels.
    drawn = generator.normal(mean, pixels(deviation, image), image.shape[:2])
    liquid = filters.gaussian_blur(drawn, pixels(sigma, image))
    liquid[liquid < threshold] = 0.0
    if severity <= 3:
        return to_uint8(values + strength * _water(to_uint8(liquid))[..., None] * WATER)
    covered = filters.gaussian_blur((liquid > threshold).astype(float), pixels(strength, image))
    covered = np.where(covered < 0.8, 0.0, covered)[..., None]
    return to_uint8(values * (1 - covered) + covered * MUD)


def _water(liquid: np.ndarray) -> np.ndarray:
    """How much light drops add, [S, S] from 0 to 1: their depth, uint8 [S, S], lit from the distance to their edges."""
    is_edge = edges.canny(liquid, 50, 150)
    distance = (
        np.minimum(ndimage.distance_transform_edt(~is_edge), FAR) if is_edge.any() else np.full(liquid.shape, FAR)
    )
    distance = edges.equalized(_mean_of_nine(distance).astype(np.uint8))
    light = ndimage.correlate(distance.astype(int), np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]), mode="mirror")
    shining = liquid * _mean_of_nine(np.clip(light, 0, 255).astype(float)).round()
    return shining / (shining.max() or 1.0)


def _mean_of_nine(values: np.ndarray) -> np.ndarray:
    return ndimage.uniform_filter(values, 3, mode="mirror")
