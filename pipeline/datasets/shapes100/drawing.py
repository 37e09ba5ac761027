"""Draws the images of shapes100 with NumPy.

A class is a family (its coarse label) and a variant: a silhouette and its fill (`ring_striped`), or a texture and its
kind (`checks_bricks`). Colors, position, size, rotation, light and clutter are random per image and independent of the
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
PIXELS = np.arange(SIZE, dtype=np.float32) - np.float32((SIZE - 1) / 2)  # centers, from the middle of the image


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
    """Position, size and orientation of the shape or texture of each image; float32, vectors x and y first."""

    centre: Plane  # [2, N, 1, 1], pixels from the image's center
    across: Plane  # [2, N, 1, 1] and
    down: Plane  # [2, N, 1, 1], rows of the matrix from pixels to the shape's axes
    radius: Plane  # [N, 1, 1], pixels to one unit of an outline
    grain: Plane  # [2, N, 1, 1], unit vector along a fill's pattern
    phase: Plane  # [2, N, 1, 1], shift of the pattern, pixels
    period: Plane  # [N, 1, 1], pixels from one bar or spot to the next

    @classmethod
    def draw(cls, generator: np.random.Generator, count: int) -> "_Placement":
        def uniform(low: float, high: float, *size: int) -> Plane:
            return _uniform(generator, low, high, *size, count, 1, 1)

        cosine, sine = _direction(uniform(-0.18, 0.18))  # up to 20 degrees to either side
        turn_x, turn_y = np.where(uniform(-1, 1, 2) < 0, np.float32(-1), np.float32(1))
        swap = uniform(0, 1) < 0.5  # with the two signs: the eight symmetries of a square
        stretch = uniform(0.88, 1.12)
        across = np.stack((cosine * turn_x * stretch, sine * turn_y * stretch))
        down = np.stack((-sine * turn_x / stretch, cosine * turn_y / stretch))
        return cls(  # the order of the draws is part of the data set
            grain=_direction(uniform(-1, 1)),
            centre=uniform(-5, 5, 2),
            across=np.where(swap, across[::-1], across),
            down=np.where(swap, down[::-1], down),
            radius=uniform(7, 12),
            phase=uniform(-8, 8, 2),
            period=uniform(5.5, 7.5),
        )

    def take(self, indices: np.ndarray) -> "_Placement":
        """The placements of some of the images."""
        return _Placement(*(getattr(self, field.name)[..., indices, :, :] for field in dataclasses.fields(self)))


def _coverages(labels: np.ndarray, placement: _Placement) -> tuple[Plane, Plane]:
    """The shares of pixels that ink and accent cover, [N, 32, 32] each, drawn class by class."""
    ink, accent = np.zeros((2, len(labels), SIZE, SIZE), np.float32)
    for label in np.unique(labels):
        variant, family = _CLASSES[label]
        indices = np.flatnonzero(labels == label)
        place = placement.take(indices)
        across, down = _coordinates(place.centre, place.across, place.down)
        if family in textures.TEXTURES:
            texture = textures.TEXTURES[family][variant]
            layers = texture(across + place.phase[0], down + place.phase[1], place.period * 1.25)
        else:
            distance = outlines.OUTLINES[family](across / place.radius, down / place.radius) * place.radius
            pattern = _coordinates(place.phase, place.grain, _normal(place.grain))
            layers = textures.FILLS[variant](distance, *pattern, place.period)
        ink[indices], accent[indices] = layers
    return ink, accent


def _paint(images: np.ndarray, cover: Plane, colours: np.ndarray) -> None:
    """Blend colors [N, 3] into images [N, 3, 32, 32], in place, by the weights `cover` [N, 32, 32]."""
    images += cover[:, None] * (colours[..., None, None] - images)


def _scatter(images: np.ndarray, generator: np.random.Generator, specks: int) -> None:
    """Paint small bars of random colors at random places."""
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
    """Images [N, 3, 32, 32] of the colors [N, 3], with a random gradient."""
    count = len(colours)
    slope_x, slope_y = _uniform(generator, -0.15, 0.15, 2, count, 1, 1) / (SIZE / 2)
    light = PIXELS * slope_x + PIXELS[:, None] * slope_y
    return light[:, None] + colours[..., None, None]


def _speck(generator: np.random.Generator, count: int) -> Plane:
    """The coverage [N, 32, 32] of one small bar with round ends in each image, at a random place and angle."""
    centre = _uniform(generator, -16, 16, 2, count, 1, 1)
    direction = _direction(_uniform(generator, -1, 1, count, 1, 1))
    along, across = _coordinates(centre, direction, _normal(direction))
    along = np.maximum(np.abs(along) - _uniform(generator, 0, 5, count, 1, 1), 0)  # beyond the half length
    return textures.coverage(outlines.radius(along, across) - _uniform(generator, 0.5, 1.5, count, 1, 1))


def _coordinates(origin: Plane, across: Plane, down: Plane) -> tuple[Plane, Plane]:
    """The coordinates of pixels, [N, 32, 32] each, from an origin along two axes, [2, N, 1, 1] each."""
    x, y = PIXELS - origin[0], PIXELS[:, None] - origin[1]
    return x * across[0] + y * across[1], x * down[0] + y * down[1]


def _direction(tangent: Plane) -> Plane:
    """Unit vectors [2, ...] of angles, from the tangents of their halves: exact arithmetic, see outlines.py."""
    square = tangent * tangent
    return np.stack(((1 - square) / (1 + square), 2 * tangent / (1 + square)))


def _normal(direction: Plane) -> Plane:
    return np.stack((-direction[1], direction[0]))


def _uniform(generator: np.random.Generator, low: float, high: float, *shape: int) -> np.ndarray:
    return np.float32(low) + np.float32(high - low) * generator.random(shape, np.float32)
