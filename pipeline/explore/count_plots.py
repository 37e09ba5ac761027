"""Bar charts of the images per class: both labels, each split, the number in its bar."""

import textwrap

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from pipeline.explore.statistics import PARTS, Survey
from pipeline.gallery.image_grid import GROUND, INK, QUIET

# Okabe and Ito's palette, distinct for color-blind readers and in gray, with the colors of the numbers.
COLOURS = {"train": ("#0072b2", "white"), "validation": ("#e69f00", INK), "test": ("#f7f9fb", INK)}
STYLE = {
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": GROUND,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
COLUMNS = 4
MAX_CLASSES = 400  # of a figure without superclasses
DOTS_PER_INCH = 128
WIDTH_INCHES, BAR_INCHES, COARSE_BAR_INCHES, PAD_INCHES = 14.0, 0.26, 0.42, 0.1
NAME_LETTERS = 18  # of a superclass's name in a line
LEAST_SHARE = 0.08  # of the axis; a narrower bar has no room for its number


def draw(survey: Survey) -> Figure:
    """Columns of superclasses: bars of their classes above, of the superclasses below; or columns of classes alone."""
    if not survey.has_superclasses:
        return _draw_classes(survey)
    coarse = list(survey.members)
    size = -(-len(coarse) // COLUMNS)
    groups = [coarse[first : first + size] for first in range(0, len(coarse), size)]
    most = max(sum(len(survey.members[number]) for number in group) for group in groups)
    heights = [most * BAR_INCHES, size * COARSE_BAR_INCHES]
    with matplotlib.style.context(["default", STYLE]):  # ignores the user's matplotlibrc
        layout = ConstrainedLayoutEngine(w_pad=PAD_INCHES, h_pad=PAD_INCHES)
        figure = Figure((WIDTH_INCHES, sum(heights) + 2), DOTS_PER_INCH, facecolor=GROUND, layout=layout)
        grid = figure.subplots(2, len(groups), squeeze=False, sharex="row", height_ratios=heights)
        for column, group in enumerate(groups):
            fine = [number for superclass in group for number in survey.members[superclass]]
            fine_counts = {part: survey.fine_counts(part)[fine].tolist() for part in PARTS}
            _bars(grid[0, column], [survey.fine_names[number] for number in fine], fine_counts)
            names = [textwrap.fill(survey.coarse_names[number], NAME_LETTERS) for number in group]
            _bars(grid[1, column], names, {part: survey.coarse_counts(part)[group].tolist() for part in PARTS})
        figure.suptitle(f"{survey.title}: images per class (above) and per superclass (below)", weight="bold")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(PARTS))
    return figure


def _draw_classes(survey: Survey) -> Figure:
    """Columns of the classes in the order of their labels; the MAX_CLASSES with most training images."""
    order = np.sort(np.argsort(-survey.fine_counts("train"), kind="stable")[:MAX_CLASSES])
    columns = np.array_split(order, min(COLUMNS, len(order)))
    height = len(columns[0]) * BAR_INCHES + 2
    with matplotlib.style.context(["default", STYLE]):
        layout = ConstrainedLayoutEngine(w_pad=PAD_INCHES, h_pad=PAD_INCHES)
        figure = Figure((WIDTH_INCHES, height), DOTS_PER_INCH, facecolor=GROUND, layout=layout)
        grid = figure.subplots(1, len(columns), squeeze=False, sharex=True)[0]
        for axes, numbers in zip(grid, columns, strict=True):
            names = [textwrap.shorten(survey.fine_names[number], NAME_LETTERS, placeholder="...") for number in numbers]
            _bars(axes, names, {part: survey.fine_counts(part)[numbers].tolist() for part in PARTS})
        figure.suptitle(f"{survey.title}: images per class", weight="bold")
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(PARTS))
    return figure


def _bars(axes: Axes, names: list[str], counts: dict[str, list[int]]) -> None:
    """A stacked bar for each name, the first on top."""
    places = range(len(names))
    left = [0] * len(names)
    longest = max(map(sum, zip(*counts.values(), strict=True)))
    for part, lengths in counts.items():
        colour, ink = COLOURS[part]
        bars = axes.barh(places, lengths, 0.78, left, color=colour, edgecolor=INK, linewidth=0.6, label=part)
        numbers = [f"{length:,}" if length >= LEAST_SHARE * longest else "" for length in lengths]
        axes.bar_label(bars, numbers, label_type="center", color=ink, fontsize=8)
        left = [start + length for start, length in zip(left, lengths, strict=True)]
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("images")
