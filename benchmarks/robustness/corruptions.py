"""The corruptions of CIFAR-100-C by their names (Hendrycks and Dietterich 2019, https://arxiv.org/abs/1903.12261).

    corrupted = corrupt(image, "fog", severity=3, seed=0, index=17)

Each is a pure function of an image, uint8 [S, S, 3], a severity from 1 to 5, and a generator: uint8 [S, S, 3]. The
constants are those of the authors' make_cifar_c.py (https://github.com/hendrycks/robustness).
"""

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.robustness import blur, digital, noise, weather
from pipeline.common import errors, seeds

Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]

SEVERITIES = (1, 2, 3, 4, 5)


def _named(*corruptions: Corruption) -> dict[str, Corruption]:
    return {corruption.__name__: corruption for corruption in corruptions}


# The 15 over which the mean corruption accuracy is.
STANDARD: Mapping[str, Corruption] = _named(
    *(noise.gaussian_noise, noise.shot_noise, noise.impulse_noise),
    *(blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur),
    *(weather.snow, weather.frost, weather.fog, weather.brightness),
    *(digital.contrast, digital.elastic_transform, digital.pixelate, digital.jpeg_compression),
)
# The paper's further ones, to choose methods by.
EXTRA: Mapping[str, Corruption] = _named(noise.speckle_noise, blur.gaussian_blur, weather.spatter, digital.saturate)
CORRUPTIONS: Mapping[str, Corruption] = {**STANDARD, **EXTRA}


def shown_name(name: str) -> str:
    """The name of a corruption as people write it."""
    return name.replace("_", " ").replace("gaussian", "Gaussian").replace("jpeg", "JPEG")


def corrupt(image: np.ndarray, name: str, severity: int, seed: int, index: int) -> np.ndarray:
    """The corrupted image, uint8 [S, S, 3]; its draws follow from all arguments but the pixels.

    `index` is the place of the image in its split.
    """
    path = seeds.derive(seed, "robustness", name, severity, index)
    generator = np.random.Generator(np.random.PCG64([word % 2**32 for word in path]))
    return CORRUPTIONS[name](image, severity, generator)


def check(names: list[str]) -> None:
    """Raise errors.BadArgumentError unless the values of --corruptions are names, at least one, and each one once."""
    for name in names:
        if name not in CORRUPTIONS:
            raise errors.BadArgumentError(f"corruptions={name!r}: expected some of {', '.join(CORRUPTIONS)}")
    if not names or len(set(names)) < len(names):
        raise errors.BadArgumentError(f"corruptions={','.join(names)}: expected at least one, and each one once")
