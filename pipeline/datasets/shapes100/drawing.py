"""Draws the images of shapes100 with NumPy.

A class is a family (its coarse label) and a variant: a silhouette and its fill (`ring_striped`), or a texture and its
kind (`checks_bricks`). Colours, position, size, rotation, light and clutter are random per image and independent of the
class; images are also flipped and rotated by multiples of 90 degrees at random.

The layers of an image in order: ground with a gradient, specks, accent, ink, specks, noise.
"""

import dataclasses

import numpy as np

from pipeline.datasets.labels import FINE_TO_COARSE
from pipeline.datasets.shapes100 import outlines, textures
from pipeline.datasets.shapes100.outlines import Plane

SIZE = 32  # pixels a side

_FAMILIES = {name: sorted(textures.FILLS) for name in outlines.OUTLINES}
_FAMILIES |= {family: sorted(kinds) for family, kinds in textures.TEXTURES.items()}
COARSE_NAMES: tuple[str, ...] = tuple(sorted(_FAMILIES))
# Fine -> coarse is the function of CIFAR-100, so that summing fine probabilities into coarse ones works for both.
_CLASSES = [
    (_FAMILIES[COARSE_NAMES[coarse]][FINE_TO_COARSE[:fine].count(coarse)], COARSE_NAMES[coarse])
    for fine, coarse in enumerate(FINE_TO_COARSE)
]
FINE_NAMES: tuple[str, ...] = tuple(f"{family}_{variant}" for variant, family in _CLASSES)

NOISE = 0.2  # greatest change of a channel, of 1
DARKEST, STEP = 0.27, 0.23  # of the three luminances of an image
PIXELS = np.arange(SIZE, dtype=np.float32) - np.float32((SIZE - 1) / 2)  # centres, from the middle of the image


def draw(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Images, uint8 [N, 32, 32, 3], of fine labels, integers [N] from 0 to 99.

    The same labels and state of the generator give the same bytes on every machine.
    """
    count = len(labels)
    palette = _palettes(generator, count)
    images = _ground(generator, palette[:, 0])  # [N, 3, 32, 32]: channels first is faster
    _scatter(images, generator, 3)
    ink, accent = _coverages(labels, _Placement.draw(generator, count))
    _paint(images, accent, palette[:, 1])
    _paint(images, ink, palette[:, 2])
    _scatter(images, generator, 2)
    strength = NOISE * _uniform(generator, 0.3, 1.0, count, 1, 1, 1)
    images += strength * _uniform(generator, -1, 1, *images.shape)
    pixels = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


@dataclasses.dataclass(frozen=True)
class _Placement:
    """Position, size and orientation of the shape or texture of each image; every field is float32 [N, 1, 1]."""

    middle_x: Plane  # pixels from the image's centre
    middle_y: Plane
    across_x: Plane  # rows of the matrix from pixels to the shape's axes
    across_y: Plane
    down_x: Plane
    down_y: Plane
    radius: Plane  # pixels to one unit of an outline
    grain_x: Plane  # direction of a fill's pattern, a unit vector
    grain_y: Plane
    phase_x: Plane  # shift of the pattern, pixels
    phase_y: Plane
    period: Plane  # pixels from one bar or spot to the next

    @classmethod
    def draw(cls, generator: np.random.Generator, count: int) -> "_Placement":
        def uniform(low: float, high: float) -> Plane:
            return _uniform(generator, low, high, count, 1, 1)

        cosine, sine = _direction(uniform(-0.18, 0.18))  # up to 20 degrees to either side
        turn_x, turn_y = (np.where(uniform(-1, 1) < 0, np.float32(-1), np.float32(1)) for _ in range(2))
        swap = uniform(0, 1) < 0.5  # with the two signs: the eight symmetries of a square
        stretch = uniform(0.88, 1.12)
        across_x, across_y = cosine * turn_x * stretch, sine * turn_y * stretch
        down_x, down_y = -sine * turn_x / stretch, cosine * turn_y / stretch
        grain_x, grain_y = _direction(uniform(-1, 1))
        return cls(
            middle_x=uniform(-5, 5),
            middle_y=uniform(-5, 5),
            across_x=np.where(swap, across_y, across_x),
            across_y=np.where(swap, across_x, across_y),
            down_x=np.where(swap, down_y, down_x),
            down_y=np.where(swap, down_x, down_y),
            radius=uniform(7, 12),
            grain_x=grain_x,
            grain_y=grain_y,
            phase_x=uniform(-8, 8),
            phase_y=uniform(-8, 8),
            period=uniform(5.5, 7.5),
        )

    def take(self, indices: np.ndarray) -> "_Placement":
        """The placements of some of the images."""
        return _Placement(*(getattr(self, field.name)[indices] for field in dataclasses.fields(self)))

    def shape_axes(self) -> tuple[Plane, Plane]:
        """The coordinates of pixels in the shape's axes, in pixels from its centre, [N, 32, 32] each."""
        x, y = PIXELS - self.middle_x, PIXELS[:, None] - self.middle_y
        return x * self.across_x + y * self.across_y, x * self.down_x + y * self.down_y

    def grain_axes(self) -> tuple[Plane, Plane]:
        """The coordinates of pixels in the axes of the fill's pattern, [N, 32, 32] each."""
        x, y = PIXELS - self.phase_x, PIXELS[:, None] - self.phase_y
        return x * self.grain_x + y * self.grain_y, y * self.grain_x - x * self.grain_y


def _coverages(labels: np.ndarray, placement: _Placement) -> tuple[Plane, Plane]:
    """The shares of pixels that ink and accent cover, [N, 32, 32] each, drawn class by class."""
    ink, accent = np.zeros((2, len(labels), SIZE, SIZE), np.float32)
    for label in np.unique(labels):
        variant, family = _CLASSES[label]
        indices = np.flatnonzero(labels == label)
        place = placement.take(indices)
        across, down = place.shape_axes()
        if family in textures.TEXTURES:
            texture = textures.TEXTURES[family][variant]
            layers = texture(across + place.phase_x, down + place.phase_y, place.period * 1.25)
        else:
            distance = outlines.OUTLINES[family](across / place.radius, down / place.radius) * place.radius
            layers = textures.FILLS[variant](distance, *place.grain_axes(), place.period)
        ink[indices], accent[indices] = layers
    return ink, accent


def _paint(images: np.ndarray, cover: Plane, colours: np.ndarray) -> None:
    """Blend colours [N, 3] into images [N, 3, 32, 32], in place, by the weights `cover` [N, 32, 32]."""
    images += cover[:, None] * (colours[..., None, None] - images)


def _scatter(images: np.ndarray, generator: np.random.Generator, specks: int) -> None:
    """Paint small bars of random colours at random places."""
    for _ in range(specks):
        speck = _speck(generator, len(images))
        _paint(images, speck, _tinted(generator, _uniform(generator, 0.1, 0.9, len(images))))


def _palettes(generator: np.random.Generator, count: int) -> np.ndarray:
    """Colours of ground, accent and ink, [N, 3, 3]: a step of luminance apart, in random order and hues."""
    level = DARKEST + STEP * np.argsort(generator.random((count, 3), np.float32), axis=1).astype(np.float32)
    level += _uniform(generator, -0.07, 0.07, count, 3)
    return _tinted(generator, level)


def _tinted(generator: np.random.Generator, level: np.ndarray) -> np.ndarray:
    """Colours of these luminances and random hues, [...] -> [..., 3]."""
    colour = _uniform(generator, -0.5, 0.5, *level.shape, 3)
    luminance = 0.3 * colour[..., 0] + 0.6 * colour[..., 1] + 0.1 * colour[..., 2]
    return np.clip(level[..., None] + 0.7 * (colour - luminance[..., None]), 0, 1)


def _ground(generator: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Images [N, 3, 32, 32] of the colours [N, 3], with a random gradient."""
    count = len(colours)
    slope_x, slope_y = _uniform(generator, -0.15, 0.15, 2, count, 1, 1) / (SIZE / 2)
    light = PIXELS * slope_x + PIXELS[:, None] * slope_y
    return light[:, None] + colours[..., None, None]


def _speck(generator: np.random.Generator, count: int) -> Plane:
    """The coverage [N, 32, 32] of one small bar with round ends in each image, at a random place and angle."""
    x = PIXELS - _uniform(generator, -16, 16, count, 1, 1)
    y = PIXELS[:, None] - _uniform(generator, -16, 16, count, 1, 1)
    cosine, sine = _direction(_uniform(generator, -1, 1, count, 1, 1))
    half_length = _uniform(generator, 0, 5, count, 1, 1)
    along = np.maximum(np.abs(x * cosine + y * sine) - half_length, 0)
    across = y * cosine - x * sine
    return textures.coverage(np.sqrt(along * along + across * across) - _uniform(generator, 0.5, 1.5, count, 1, 1))


def _direction(tangent: Plane) -> tuple[Plane, Plane]:
    """Cosine and sine of an angle, from the tangent of its half: exact arithmetic, see outlines.py."""
    square = tangent * tangent
    return (1 - square) / (1 + square), 2 * tangent / (1 + square)


def _uniform(generator: np.random.Generator, low: float, high: float, *shape: int) -> np.ndarray:
    return np.float32(low) + np.float32(high - low) * generator.random(shape, np.float32)
