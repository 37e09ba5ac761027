"""Confusion matrices as SVG text that the page embeds, with names as text, which can be searched.

One hue from white to dark, which color-blind eyes order as others do. Its steps are uneven: most mistakes are a few
percent and would stay white beside the diagonal.
"""

import itertools

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
FINE_NAMES_POINTS = 500.0  # the height of all names, each as high as its row
LARGEST_NAME_POINTS = 8.5


def fine(matrix: Matrix) -> str:
    """The fine matrix in groups: superclasses on top and on the left, classes at the bottom and on the right."""
    groups = itertools.groupby(matrix.superclasses)
    ends = list(itertools.accumulate(len(list(members)) for _, members in groups))  # behind each one's last class
    middles = [(first + last) / 2 - 0.5 for first, last in itertools.pairwise((0, *ends))]
    superclasses = list(dict.fromkeys(matrix.superclasses))
    with matplotlib.style.context(["default", STYLE]):  # without the user's matplotlibrc
        figure, axes = _heat_map(matrix)
        axes.set_xticks(middles, superclasses, rotation=90, fontsize=8.5)
        axes.set_yticks(middles, superclasses, fontsize=8.5)
        for end in ends[:-1]:
            axes.axhline(end - 0.5, color=SEPARATOR, linewidth=0.5)
            axes.axvline(end - 0.5, color=SEPARATOR, linewidth=0.5)
        places, points = range(len(matrix.names)), min(LARGEST_NAME_POINTS, FINE_NAMES_POINTS / len(matrix.names))
        axes.secondary_yaxis("right").set_yticks(places, matrix.names, fontsize=points)
        axes.secondary_xaxis("bottom").set_xticks(places, matrix.names, rotation=90, fontsize=points)
        for other in axes.child_axes:
            other.tick_params(length=1.5, pad=1.5)
        scale = figure.colorbar(axes.images[0], ax=axes, location="bottom", shrink=0.5, aspect=40, pad=0.02)
        scale.set_label("% of the true class")
        title = "Fine confusion matrix, classes ordered by superclass" if any(superclasses) else "Confusion matrix"
        return plots.svg_element(figure, title)


def coarse(matrix: Matrix) -> str:
    """The coarse matrix, `numbered`."""
    return numbered(matrix, "Coarse confusion matrix, in percent of the true superclass")


def numbered(matrix: Matrix, title: str) -> str:
    """A matrix with the percent in each cell; a cell that rounds to 0 is empty."""
    with matplotlib.style.context(["default", STYLE]):  # without the user's matplotlibrc
        figure, axes = _heat_map(matrix)
        axes.set_xticks(range(len(matrix.names)), matrix.names, rotation=90)
        axes.set_yticks(range(len(matrix.names)), matrix.names)
        for place, share in np.ndenumerate(matrix.shares):
            percent = f"{100 * share:.0f}"
            if percent != "0":
                colour = "white" if 100 * share >= FIRST_DARK_PERCENT else DARK
                axes.text(place[1], place[0], percent, color=colour, ha="center", va="center", fontsize=9.5)
        return plots.svg_element(figure, title)


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
