"""The patterns of shapes100: four families of textures that fill an image, and five fills of a silhouette.

Each returns the coverages of ink and accent, float32 [N, 32, 32] from 0 to 1; ink is painted over the accent. Lengths
are in pixels; `period` [N, 1, 1] is the size of a repeated cell.
"""

from collections.abc import Callable

import numpy as np

from pipeline.datasets.shapes100.outlines import Plane, radius

Coverages = tuple[Plane, Plane]
Texture = Callable[[Plane, Plane, Plane], Coverages]  # of x, y and period
Fill = Callable[[Plane, Plane, Plane, Plane], Coverages]  # of the distance to the outline, x, y and period


def coverage(distance: Plane) -> Plane:
    """The share of a pixel covered by an area whose edge is `distance` pixels away, negative inside."""
    return np.clip(0.5 - distance, 0, 1)


def _ink(distance: Plane) -> Coverages:
    """An area of ink, without accent."""
    return coverage(distance), np.zeros_like(distance)


def _cell(x: Plane, period: Plane) -> Plane:
    """The signed distance to the nearest multiple of the period."""
    return x - period * np.rint(x / period)


def _near(x: Plane, period: Plane) -> Plane:
    return np.abs(_cell(x, period))


def _line(x: Plane, period: Plane, half_width: float | Plane) -> Plane:
    return coverage(_near(x, period) - half_width)


def _swing(y: Plane, period: Plane) -> Plane:
    """A triangle wave of y, from -1 to 1, whose length is two periods."""
    return 4 * _near(y, 2 * period) / (2 * period) - 1


def _bow(y: Plane, period: Plane, share: float) -> Plane:
    """A smooth swing, made of parabolas, by a share of the period."""
    swing = _swing(y, period)
    return share * period * swing * (2 - np.abs(swing))


def _spots(x: Plane, y: Plane, period: Plane) -> Plane:
    """The distance to the middle of the nearest cell."""
    return radius(_cell(x, period), _cell(y, period))


def _three_toned(x: Plane, y: Plane, period: Plane) -> Coverages:
    """A bar, a bar of a second color, a gap."""
    period = period * 1.3
    return _line(x, period, period / 6), _line(x - period / 3, period, period / 6)


def _stepped(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Battlements: the bars jump by half a period."""
    # A steep swing, cut off, is a jump that is still one soft pixel wide.
    jump = np.clip(_swing(y, 0.8 * period) * period, -1, 1)
    return _ink(_near(x + 0.25 * period * jump, period) - period / 4)


def _scaled(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Fish scales: rows of half circles, every second row shifted by half a scale."""
    row, width = period * 0.5, period * 1.1
    low = np.floor(y / row)
    offset, arcs = y / row - low, np.zeros_like(x)
    for above in (1, 0):  # the nearer row is drawn last and hides the one behind it
        shift = (np.abs(low - above) % 2) * 0.5 * width
        distance = radius(_cell(x - shift, width), (offset + above) * row) - width * 0.5
        inside = coverage(distance)
        arcs = arcs * (1 - inside) + coverage(np.abs(distance + 0.8) - 0.7) * inside
    return arcs, np.zeros_like(x)


def _braided(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Two strands of two colors that oscillate against each other."""
    bow = _bow(y, period, 0.3)
    return _line(x + bow, period * 1.4, 1.0), _line(x - bow, period * 1.4, 1.0)


def _plain(x: Plane, y: Plane, period: Plane) -> Coverages:
    """A chess board."""
    across, down = period * 0.5 - _near(x, 2 * period), period * 0.5 - _near(y, 2 * period)
    # Inside both bars or outside both: the product of the signs, softened by the nearer edge.
    return _ink(np.sign(across) * np.sign(down) * np.minimum(np.abs(across), np.abs(down)))


def _bricks(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Courses of bricks, with joints in the ground's color."""
    height, width = period * 0.8, period * 1.5
    shifted = x + np.abs(np.rint(y / height) % 2) * width / 2  # every second course, by half a brick
    joint = np.minimum(width / 2 - _near(shifted, width), height / 2 - _near(y, height))
    return _ink(0.7 - joint)


def _gingham(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Bars both ways, the ink where they cross and the accent where only one lies."""
    across, down = _line(x, period * 1.3, period * 0.33), _line(y, period * 1.3, period * 0.33)
    return across * down, np.maximum(across, down)


def _argyle(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Lozenges under a lattice of thin lines."""
    first, second = (x + 0.6 * y) * 0.857, (x - 0.6 * y) * 0.857
    cell = period * 1.15
    lozenge = np.maximum(_near(first, 2 * cell), _near(second, 2 * cell)) - cell / 2
    lattice = np.maximum(_line(first, cell * 2, 0.55), _line(second, cell * 2, 0.55))
    return coverage(lozenge) * (1 - lattice), lattice


def _crossed(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Small plus signs."""
    across, down = _near(x, period), _near(y, period)
    long, short = np.maximum(across, down), np.minimum(across, down)
    return _ink(np.maximum(long - period * 0.34, short - 0.75))


def _mixed(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Big spots, and small ones in the gaps between them."""
    wide = period * 1.25
    return _ink(np.minimum(_spots(x, y, wide) - wide * 0.31, _spots(x + wide / 2, y + wide / 2, wide) - 1.0))


def _two_toned(x: Plane, y: Plane, period: Plane) -> Coverages:
    """Spots in two alternating colors."""
    wide, size = period * 1.3, period * 0.31
    return coverage(_spots(x, y, wide) - size), coverage(_spots(x + wide / 2, y + wide / 2, wide) - size)


TEXTURES: dict[str, dict[str, Texture]] = {
    "checks": {  # cells bounded by straight lines
        "argyle": _argyle,
        "bricks": _bricks,
        "gingham": _gingham,
        "grid": lambda x, y, period: _ink(np.minimum(_near(x, period), _near(y, period)) - 0.7),  # thin lines both ways
        "plain": _plain,
    },
    "dots": {  # separate spots
        "crossed": _crossed,
        # Small rings.
        "hollow": lambda x, y, period: _ink(np.abs(_spots(x, y, period * 1.15) - period * 0.36) - 0.65),
        "mixed": _mixed,
        # Spots in rows and columns.
        "rows": lambda x, y, period: _ink(_spots(x, y, period) - period * 0.29),
        "two_toned": _two_toned,
    },
    "stripes": {  # bars in one direction
        # Broken lines.
        "dashed": lambda x, y, period: _ink(
            np.maximum(_near(x, period * 0.85) - 1.1, _near(y, period * 1.2) - period * 0.36)
        ),
        "even": lambda x, y, period: _ink(_near(x, period) - period / 4),  # bars as wide as the gaps between them
        "paired": lambda x, y, period: _ink(np.abs(_near(x, period * 1.3) - 1.9) - 0.8),  # lines two by two
        "thin": lambda x, y, period: _ink(_near(x, period) - 0.8),  # lines on a wide ground
        "three_toned": _three_toned,
    },
    "waves": {  # oscillating lines
        "braided": _braided,
        # Smooth swings.
        "round": lambda x, y, period: _ink(_near(x + _bow(y, period, 0.36), period * 1.1) - period * 0.2),
        "scaled": _scaled,
        "stepped": _stepped,
        # Straight lines with sharp turns.
        "zigzag": lambda x, y, period: _ink(_near(x + 0.36 * period * _swing(y, 0.6 * period), period) - period * 0.2),
    },
}
FILLS: dict[str, Fill] = {
    # Ink all over, and a line around it at a distance.
    "haloed": lambda distance, x, y, period: _ink(np.minimum(distance + 0.7, np.abs(distance - 2.4) - 0.7)),
    # A line along the edge, and the ground inside it.
    "outlined": lambda distance, x, y, period: _ink(np.abs(distance + 0.8) - 0.8),
    "solid": lambda distance, x, y, period: _ink(distance),
    # The accent with spots of ink.
    "spotted": lambda distance, x, y, period: (
        coverage(distance) * coverage(_spots(x, y, period) - period * 0.29),
        coverage(distance),
    ),
    # Ink with straight bars of the accent.
    "striped": lambda distance, x, y, period: (coverage(distance) * _line(x, period, period / 4), coverage(distance)),
}
