"""The sixteen silhouettes of shapes100, as signed distances of pixels to an outline.

An outline maps the coordinates u (right) and v (down) of pixels to their distance, negative inside, in units of about
the shape's radius. Near corners it is the distance to the extended edges, so that a halo of a star has sharp points.

The drawing modules use only + - * / and square roots, which IEEE 754 rounds exactly: images are the same bytes on every
machine. `sin` and `exp` would differ in their last bits.
"""

import math
from collections.abc import Callable

import numpy as np

Plane = np.ndarray  # float32 [N, 32, 32]: one number a pixel
Outline = Callable[[Plane, Plane], Plane]

# Directions of a fifth of a turn, as literals: `math.cos` may differ in the last bit.
_COS_36, _SIN_36 = 0.809016994, 0.587785252


def _polygon(*corners: tuple[float, float]) -> Outline:
    """The convex polygon of these corners, clockwise on the screen."""
    edges = []
    for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = math.sqrt((u1 - u0) ** 2 + (v1 - v0) ** 2)
        normal_u, normal_v = (v1 - v0) / length, (u0 - u1) / length
        edges.append((normal_u, normal_v, normal_u * u0 + normal_v * v0))

    def outline(u: Plane, v: Plane) -> Plane:
        normal_u, normal_v, offset = edges[0]
        distance = u * normal_u + v * normal_v - offset
        for normal_u, normal_v, offset in edges[1:]:
            np.maximum(distance, u * normal_u + v * normal_v - offset, out=distance)
        return distance

    return outline


def radius(u: Plane, v: Plane) -> Plane:
    """The distance to the middle."""
    return np.sqrt(u * u + v * v)


def _box(u: Plane, v: Plane, half_width: float, half_height: float) -> Plane:
    return np.maximum(np.abs(u) - half_width, np.abs(v) - half_height)


def _cross(u: Plane, v: Plane, half_length: float, half_width: float) -> Plane:
    return np.minimum(_box(u, v, half_length, half_width), _box(u, v, half_width, half_length))


def _fold_in_five(u: Plane, v: Plane) -> tuple[Plane, Plane]:
    """Mirror the plane into one tenth of it, to the right of the upward axis: the symmetry of star and flower."""
    u, v = np.abs(u), -v
    for mirror_u, mirror_v in ((_COS_36, -_SIN_36), (-_COS_36, -_SIN_36)):
        # The mirrors lie between two points of the star; the plane behind a mirror is reflected.
        behind = 2 * np.maximum(u * mirror_u + v * mirror_v, 0)
        u, v = u - behind * mirror_u, v - behind * mirror_v
    return np.abs(u), v


def _star(u: Plane, v: Plane) -> Plane:
    u, v = _fold_in_five(u, v)
    # One straight edge, from the point (0, 1.05) to the notch at radius 0.47 a tenth of a turn further.
    notch_u, notch_v = 0.47 * _SIN_36, 0.47 * _COS_36
    length = math.sqrt(notch_u**2 + (1.05 - notch_v) ** 2)
    return (u * (1.05 - notch_v) + (v - 1.05) * notch_u) / length


def _flower(u: Plane, v: Plane) -> Plane:
    u, v = _fold_in_five(u, v)
    return np.minimum(radius(u, v - 0.58), radius(u, v) - 0.1) - 0.38


def _gear(u: Plane, v: Plane) -> Plane:
    """Eight teeth and a hub."""
    diagonal_u, diagonal_v = (u + v) * math.sqrt(0.5), (u - v) * math.sqrt(0.5)
    teeth = np.minimum(_cross(u, v, 1.0, 0.15), _cross(diagonal_u, diagonal_v, 1.0, 0.15))
    return np.maximum(np.minimum(radius(u, v) - 0.7, teeth), 0.27 - radius(u, v))


def _heart(u: Plane, v: Plane) -> Plane:
    """A square on its corner and a disc on each of its upper sides."""
    u = np.abs(u)
    body = (u + np.abs(v - 0.1) - 0.78) * math.sqrt(0.5)
    return np.minimum(body, radius(u - 0.39, v + 0.29) - 0.55)


def _drop(u: Plane, v: Plane) -> Plane:
    """A disc drawn out to a point, along its tangents."""
    middle, size, tip = 0.32, 0.6, -1.0
    sine = size / (middle - tip)
    cosine = math.sqrt(1 - sine * sine)
    cone = np.maximum(np.abs(u) * cosine - (v - tip) * sine, v - (middle - size * sine))
    return np.minimum(radius(u, v - middle) - size, cone)


def _arch(u: Plane, v: Plane) -> Plane:
    """A half ring on two legs."""
    bow = radius(u, np.minimum(v + 0.15, 0))
    return np.maximum(np.abs(bow - 0.6) - 0.27, v - 0.9)


_arrow_head = _polygon((0.0, -1.0), (0.85, 0.0), (-0.85, 0.0))
_half_bolt = _polygon((0.3, -1.0), (0.2, 0.15), (-0.62, 0.15))

OUTLINES: dict[str, Outline] = {
    "arch": _arch,
    "arrow": lambda u, v: np.minimum(_arrow_head(u, v), _box(u, v - 0.4, 0.29, 0.52)),  # a triangle on a shaft
    "bolt": lambda u, v: np.minimum(_half_bolt(u, v), _half_bolt(-u, -v)),  # two spikes, one turned by half a turn
    # A disc without a smaller, shifted disc.
    "crescent": lambda u, v: np.maximum(radius(u, v) - 0.95, 0.74 - radius(u - 0.5, v)),
    "cross": lambda u, v: _cross(u, v, 0.95, 0.32),  # a plus sign
    "disc": lambda u, v: radius(u, v) - 0.88,
    "drop": _drop,
    "flower": _flower,
    "gear": _gear,
    "heart": _heart,
    # Two triangles, point to point.
    "hourglass": lambda u, v: np.maximum(np.abs(v) - 0.92, (np.abs(u) - 0.1 - 0.72 * np.abs(v)) * 0.8),
    "lozenge": _polygon((0.0, -1.05), (0.6, 0.0), (0.0, 1.05), (-0.6, 0.0)),
    "ring": lambda u, v: np.abs(radius(u, v) - 0.7) - 0.28,
    "square": lambda u, v: _box(u, v, 0.78, 0.78),
    "star": _star,
    "triangle": _polygon((0.0, -1.0), (0.95, 0.7), (-0.95, 0.7)),
}
