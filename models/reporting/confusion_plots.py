"""Confusion matrices as SVG text that the page embeds, with names as text, which can be searched.

One hue from white to dark, which color-blind eyes order as others do. Its steps are uneven: most mistakes are a few
percent and would stay white beside the diagonal.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from models.reporting import plots
from models.reporting.confusion import Matrix

STEPS_PERCENT = (0, 1, 2, 5, 10, 20, 40, 60, 80, 100)
SHADES = ListedColormap(["white", *colormaps["Blues"](np.linspace(0.16, 1.0, len(STEPS_PERCENT) - 2))])
FIRST_DARK_PERCENT = 40  # from here on a number in a cell is white
DARK, SEPARATOR = "#1b222c", "#8a94a3"
INCHES = 11.0  # at most, of a figure
INCHES_AROUND, INCHES_A_CLASS = 4.0, 0.5
STYLE = {**plots.STYLE, "axes.grid": False, "axes.spines.top": True, "axes.spines.right": True}
NAMES_POINTS = 500.0  # the height of all names, each as high as its row
LARGEST_NAME_POINTS, LEAST_NAME_POINTS = 8.5, 2.0  # smaller ones are left out: nobody can read them
SEPARATOR_POINTS, ALL_SEPARATORS_POINTS = 0.5, 10.0
MAX_NUMBERED = 30  # classes of a matrix whose cells have room for numbers


def fine(matrix: Matrix) -> str:
    """The fine matrix in groups: superclasses on top and on the left, classes at the bottom and on the right."""
    groups = itertools.groupby(matrix.superclasses)
    ends = list(itertools.accumulate(len(list(members)) for _, members in groups))  # behind each one's last class
    middles = [(first + last) / 2 - 0.5 for first, last in itertools.pairwise((0, *ends))]
    superclasses = list(dict.fromkeys(matrix.superclasses))
    with matplotlib.style.context(["default", STYLE]):  # without the user's matplotlibrc
        figure, axes = _heat_map(matrix)
        _name(axes, axes, middles, superclasses)
        width = min(SEPARATOR_POINTS, ALL_SEPARATORS_POINTS / len(superclasses))
        for end in ends[:-1]:
            axes.axhline(end - 0.5, color=SEPARATOR, linewidth=width)
            axes.axvline(end - 0.5, color=SEPARATOR, linewidth=width)
        _name(axes.secondary_xaxis("bottom"), axes.secondary_yaxis("right"), range(len(matrix.names)), matrix.names)
        for other in axes.child_axes:
            other.tick_params(length=1.5, pad=1.5)
        _add_scale(figure, axes)
        return plots.svg_element(figure, "Fine confusion matrix, classes ordered by superclass")


def plain(matrix: Matrix, title: str) -> str:
    """A matrix without groups; where there is room, the percent is in each cell, which is empty if it rounds to 0."""
    with matplotlib.style.context(["default", STYLE]):  # without the user's matplotlibrc
        figure, axes = _heat_map(matrix)
        _name(axes, axes, range(len(matrix.names)), matrix.names)
        if len(matrix.names) > MAX_NUMBERED:
            _add_scale(figure, axes)
            return plots.svg_element(figure, title)
        for place, share in np.ndenumerate(matrix.shares):
            percent = f"{100 * share:.0f}"
            if percent != "0":
                colour = "white" if 100 * share >= FIRST_DARK_PERCENT else DARK
                axes.text(place[1], place[0], percent, color=colour, ha="center", va="center", fontsize=9.5)
        return plots.svg_element(figure, title)


def plain_note(matrix: Matrix) -> str:
    """What the cells of a matrix without groups show."""
    return "in %, empty below 0.5" if len(matrix.names) <= MAX_NUMBERED else "by shade, in %"


def _name(x_axes: Any, y_axes: Any, places: Sequence[float], names: Sequence[str]) -> None:
    """Name columns and rows, if they have room for names; secondary axes are not of the class Axes."""
    points = min(LARGEST_NAME_POINTS, NAMES_POINTS / len(names))
    shown = names if points >= LEAST_NAME_POINTS else ()
    x_axes.set_xticks(places[: len(shown)], shown, rotation=90, fontsize=points)
    y_axes.set_yticks(places[: len(shown)], shown, fontsize=points)


def _add_scale(figure: Figure, axes: Axes) -> None:
    scale = figure.colorbar(axes.images[0], ax=axes, location="bottom", shrink=0.5, aspect=40, pad=0.02)
    scale.set_label("% of the true class")


def _heat_map(matrix: Matrix) -> tuple[Figure, Axes]:
    inches = min(INCHES, INCHES_AROUND + INCHES_A_CLASS * len(matrix.names))
    figure = Figure(figsize=(inches, inches), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel("predicted class", labelpad=12)  # a browser's letters may be wider than matplotlib's
    axes.set_ylabel("true class", labelpad=12)
    norm = BoundaryNorm(STEPS_PERCENT, SHADES.N)
    axes.imshow(100 * matrix.shares, cmap=SHADES, norm=norm, interpolation="none")  # one pixel a cell at any zoom
    axes.xaxis.set_label_position("top")
    axes.tick_params(top=False, bottom=False, left=False, labeltop=True, labelbottom=False)
    return figure, axes
