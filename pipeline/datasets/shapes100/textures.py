"""The patterns of shapes100: four families of textures that fill an image, and five fills of a silhouette.

Each returns the coverages of ink and accent, float32 [N, 32, 32] from 0 to 1; ink is painted over the accent. Lengths
are in pixels; `period` [N, 1, 1] is the size of a repeated cell.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from pipeline.datasets.shapes100.outlines import Plane

Coverages = tuple[Plane, Plane]
Texture = Callable[[Plane, Plane, Plane], Coverages]
Fill = Callable[[Plane, Plane, Plane, Plane], Coverages]
_Function = TypeVar("_Function", Texture, Fill)


def coverage(distance: Plane) -> Plane:
    """The share of a pixel covered by an area whose edge is `distance` pixels away, negative inside."""
    return np.clip(0.5 - distance, 0, 1)


def _cell(x: Plane, period: Plane) -> Plane:
    """The signed distance to the nearest multiple of the period."""
    return x - period * np.rint(x / period)


def _near(x: Plane, period: Plane) -> Plane:
    return np.abs(_cell(x, period))


def _line(x: Plane, period: Plane, half_width: float | Plane) -> Plane:
    return coverage(_near(x, period) - half_width)


# ---- stripes: bars in one direction


def stripes_even(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Bars as wide as the gaps between them."""
    return _line(x, period, period / 4), np.zeros_like(x)


def stripes_thin(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Lines on a wide ground."""
    return _line(x, period, 0.8), np.zeros_like(x)


def stripes_paired(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Lines two by two."""
    return coverage(np.abs(_near(x, period * 1.3) - 1.9) - 0.8), np.zeros_like(x)


def stripes_dashed(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Broken lines."""
    dash = np.maximum(_near(x, period * 0.85) - 1.1, _near(y, period * 1.2) - period * 0.36)
    return coverage(dash), np.zeros_like(x)


def stripes_three_toned(x: Plane, y: Plane, period: Plane) -> Coverages:
    """A bar, a bar of a second colour, a gap."""
    period = period * 1.3
    return _line(x, period, period / 6), _line(x - period / 3, period, period / 6)


# ---- waves: oscillating lines


def _swing(y: Plane, period: Plane) -> Plane:
    """A triangle wave of y, from -1 to 1, whose length is two periods."""
    return 4 * _near(y, 2 * period) / (2 * period) - 1


def waves_zigzag(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Straight lines with sharp turns."""
    return _line(x + 0.36 * period * _swing(y, 0.6 * period), period, period * 0.2), np.zeros_like(x)


def waves_round(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Smooth swings, made of parabolas."""
    swing = _swing(y, period)
    return _line(x + 0.36 * period * swing * (2 - np.abs(swing)), period * 1.1, period * 0.2), np.zeros_like(x)


def waves_stepped(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Battlements: the bars jump by half a period."""
    # A steep swing, cut off, is a jump that is still one soft pixel wide.
    jump = np.clip(_swing(y, 0.8 * period) * period, -1, 1)
    return _line(x + 0.25 * period * jump, period, period / 4), np.zeros_like(x)


def waves_scaled(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Fish scales: rows of half circles, every second row shifted by half a scale."""
    row, width = period * 0.5, period * 1.1
    low = np.floor(y / row)
    offset, arcs = y / row - low, np.zeros_like(x)
    for above in (1, 0):  # the nearer row is drawn last and hides the one behind it
        shift = (np.abs(low - above) % 2) * 0.5 * width
        across, along = _cell(x - shift, width), (offset + above) * row
        distance = np.sqrt(across * across + along * along) - width * 0.5
        inside = coverage(distance)
        arcs = arcs * (1 - inside) + coverage(np.abs(distance + 0.8) - 0.7) * inside
    return arcs, np.zeros_like(x)


def waves_braided(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Two strands of two colours that oscillate against each other."""
    swing = _swing(y, period)
    bow = 0.3 * period * swing * (2 - np.abs(swing))
    return _line(x + bow, period * 1.4, 1.0), _line(x - bow, period * 1.4, 1.0)


# ---- checks: cells bounded by straight lines


def checks_plain(x: Plane, y: Plane, period: Plane) -> Coverages:
    """A chess board."""
    across, down = period * 0.5 - _near(x, 2 * period), period * 0.5 - _near(y, 2 * period)
    # Inside both bars or outside both: the product of the signs, softened by the nearer edge.
    nearer = np.minimum(np.abs(across), np.abs(down))
    return coverage(np.sign(across) * np.sign(down) * nearer), np.zeros_like(x)


def checks_grid(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Thin lines both ways."""
    return np.maximum(_line(x, period, 0.7), _line(y, period, 0.7)), np.zeros_like(x)


def checks_bricks(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Courses of bricks, with joints in the ground's colour."""
    height, width = period * 0.8, period * 1.5
    shifted = x + np.abs(np.rint(y / height) % 2) * width / 2  # every second course, by half a brick
    joint = np.minimum(width / 2 - _near(shifted, width), height / 2 - _near(y, height))
    return coverage(0.7 - joint), np.zeros_like(x)


def checks_gingham(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Bars both ways, the ink where they cross and the accent where only one lies."""
    across, down = _line(x, period * 1.3, period * 0.33), _line(y, period * 1.3, period * 0.33)
    return across * down, np.maximum(across, down)


def checks_argyle(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Lozenges under a lattice of thin lines."""
    first, second = (x + 0.6 * y) * 0.857, (x - 0.6 * y) * 0.857
    cell = period * 1.15
    lozenge = np.maximum(_near(first, 2 * cell), _near(second, 2 * cell)) - cell / 2
    lattice = np.maximum(_line(first, cell * 2, 0.55), _line(second, cell * 2, 0.55))
    return coverage(lozenge) * (1 - lattice), lattice


# ---- dots: separate spots


def _spots(x: Plane, y: Plane, period: Plane) -> Plane:
    """The distance to the middle of the nearest cell."""
    across, down = _cell(x, period), _cell(y, period)
    return np.sqrt(across * across + down * down)


def dots_rows(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Spots in rows and columns."""
    return coverage(_spots(x, y, period) - period * 0.29), np.zeros_like(x)


def dots_hollow(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Small rings."""
    return coverage(np.abs(_spots(x, y, period * 1.15) - period * 0.36) - 0.65), np.zeros_like(x)


def dots_crossed(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Small plus signs."""
    across, down = _near(x, period), _near(y, period)
    long, short = np.maximum(across, down), np.minimum(across, down)
    return coverage(np.maximum(long - period * 0.34, short - 0.75)), np.zeros_like(x)


def dots_mixed(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Big spots, and small ones in the gaps between them."""
    wide = period * 1.25
    small = _spots(x + wide / 2, y + wide / 2, wide) - 1.0
    return coverage(np.minimum(_spots(x, y, wide) - wide * 0.31, small)), np.zeros_like(x)


def dots_two_toned(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Spots in two alternating colours."""
    wide, radius = period * 1.3, period * 0.31
    return coverage(_spots(x, y, wide) - radius), coverage(_spots(x + wide / 2, y + wide / 2, wide) - radius)


# ---- fills of a silhouette; `distance` to its outline in pixels


def fill_solid(distance: Plane, x: Plane, y: Plane, period: Plane) -> Coverages:
    """Ink all over."""
    return coverage(distance), np.zeros_like(distance)


def fill_outlined(distance: Plane, x: Plane, y: Plane, period: Plane) -> Coverages:
    """A line along the edge, and the ground inside it."""
    return coverage(np.abs(distance + 0.8) - 0.8), np.zeros_like(distance)


def fill_haloed(distance: Plane, x: Plane, y: Plane, period: Plane) -> Coverages:
    """Ink all over, and a line around it at a distance."""
    return coverage(np.minimum(distance + 0.7, np.abs(distance - 2.4) - 0.7)), np.zeros_like(distance)


def fill_striped(distance: Plane, x: Plane, y: Plane, period: Plane) -> Coverages:
    """Ink with straight bars of the accent."""
    inside = coverage(distance)
    return inside * _line(x, period, period / 4), inside


def fill_spotted(distance: Plane, x: Plane, y: Plane, period: Plane) -> Coverages:
    """The accent with spots of ink."""
    inside = coverage(distance)
    return inside * coverage(_spots(x, y, period) - period * 0.29), inside


def _by_kind(*functions: _Function) -> dict[str, _Function]:
    """The functions by their names without the family."""
    return {function.__name__.partition("_")[2]: function for function in functions}


TEXTURES: dict[str, dict[str, Texture]] = {
    "checks": _by_kind(checks_argyle, checks_bricks, checks_gingham, checks_grid, checks_plain),
    "dots": _by_kind(dots_crossed, dots_hollow, dots_mixed, dots_rows, dots_two_toned),
    "stripes": _by_kind(stripes_dashed, stripes_even, stripes_paired, stripes_thin, stripes_three_toned),
    "waves": _by_kind(waves_braided, waves_round, waves_scaled, waves_stepped, waves_zigzag),
}
FILLS: dict[str, Fill] = _by_kind(fill_haloed, fill_outlined, fill_solid, fill_spotted, fill_striped)
