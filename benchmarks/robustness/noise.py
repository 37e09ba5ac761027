"""Corruptions that draw each value of an image anew: Gaussian, shot, impulse and speckle noise."""

import numpy as np

from benchmarks.robustness.filters import to_uint8, unit


def gaussian_noise(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Normal noise of the same deviation everywhere."""
    deviation = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
    return to_uint8(unit(image) + generator.normal(0.0, deviation, image.shape))


def shot_noise(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Poisson noise: as many photons on average as the value times a maximum, which falls with the severity."""
    photons = (500, 250, 100, 75, 50)[severity - 1]
    return to_uint8(generator.poisson(unit(image) * photons) / photons)


def impulse_noise(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """A share of the values, each channel for itself, becomes 0 or 255 with equal chance."""
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    is_drawn = generator.random(image.shape) <= share
    drawn = np.where(generator.random(image.shape) <= 0.5, 255, 0).astype(np.uint8)
    return np.where(is_drawn, drawn, image)


def speckle_noise(image: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Normal noise whose deviation is in proportion to the value."""
    deviation = (0.06, 0.10, 0.12, 0.16, 0.20)[severity - 1]
    values = unit(image)
    return to_uint8(values + values * generator.normal(0.0, deviation, image.shape))
