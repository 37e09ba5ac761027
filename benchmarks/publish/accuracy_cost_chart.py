"""Recipes as points over their cost -> a figure, each with its name beside it."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox

from benchmarks.publish import label_placement
from benchmarks.publish.our_results import Measured
from benchmarks.publish.published_results import PUBLISHED, STUDY_FINE_PERCENT, Recipe
from models.reporting import plots

INCHES, DOTS_PER_INCH = (9.0, 6.6), 200  # twice the pixels of a page of 900
AXES = (0.064, 0.172, 0.922, 0.65)  # left, bottom, width, height, as shares of the figure's
LEFT, LEGEND_TOP = 0.017, 0.904
OURS, STUDY, PUBLISHED_GREY = plots.COLOURS["fine"], plots.COLOURS["coarse"], "#6b7480"
INK = "#1b222c"
MARKER_POINTS = 7.0

# What a marker says: round is ours; a square is of one view an image; filled is a cost that somebody counted.
MEANINGS = {
    ("o", True): "ours: one view an image, cost counted",
    ("s", True): "published: one view, cost as stated",
    ("s", False): "published: one view, cost estimated",
    ("^", True): "published: perhaps several views, cost as stated",
    ("^", False): "published: several views, cost estimated",
}


@dataclasses.dataclass(frozen=True)
class Point:
    """What is marked and named; `spread` is above and below, in per cent."""

    label: str
    petaflop: float
    percent: float
    kind: tuple[str, bool]  # one of MEANINGS: its marker, and whether that is filled
    spread: float = 0.0

    @property
    def is_ours(self) -> bool:
        """Ours stand out."""
        return self.kind == ("o", True)

    @property
    def colour(self) -> str:
        """Of the mark, its line and, for ours, its name."""
        return OURS if self.is_ours else PUBLISHED_GREY


def draw(ours: Sequence[Measured], published: Sequence[Recipe] = PUBLISHED) -> Figure:
    """The chart of our recipes beside published ones, with what it means and where it comes from in words."""
    points = [*map(_of_ours, ours), *map(_of_published, published)]
    with matplotlib.style.context(["default", plots.STYLE]):  # not the user's own matplotlibrc
        figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH)
        axes = figure.add_axes(AXES, xscale="log")
        _scale(axes, points)
        for point in points:
            _mark(axes, point)
        _legend(figure, points)
        _words(figure, ours)
        _name(figure, axes, points, _mark_study(axes))
    return figure


def _of_ours(recipe: Measured) -> Point:
    spread = "" if recipe.deviation is None else f" ± {recipe.deviation:.1f}"
    label = f"{recipe.name}\n{recipe.mean:.1f}{spread} %"
    return Point(label, recipe.petaflop, recipe.mean, ("o", True), recipe.deviation or 0.0)


def _of_published(recipe: Recipe) -> Point:
    kind = ("s" if recipe.single_view else "^", not recipe.cost_is_estimated)
    return Point(recipe.name, recipe.petaflop, recipe.fine_percent, kind)


def _scale(axes: Axes, points: Iterable[Point]) -> None:
    costs = [point.petaflop for point in points]
    percents = [STUDY_FINE_PERCENT, *(point.percent for point in points)]
    axes.set_xlim(min(costs) / 1.8, max(costs) * 1.8)
    axes.set_ylim(math.floor(min(percents)) - 1.5, math.ceil(max(percents)) + 1.5)
    axes.set_xlabel("training cost (PFLOP, logarithmic)")
    axes.set_ylabel("fine accuracy on test (%)")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _mark(axes: Axes, point: Point) -> None:
    bar: dict[str, Any] = {"yerr": point.spread, "capsize": 3.5, "elinewidth": 1.4} if point.spread else {}
    axes.errorbar(
        point.petaflop, point.percent, **_marker(point.kind, point.colour), **bar, zorder=4 if point.is_ours else 3
    )


def _marker(kind: tuple[str, bool], colour: str) -> dict[str, Any]:
    marker, filled = kind
    return {
        "marker": marker,
        "markersize": MARKER_POINTS,
        "markerfacecolor": colour if filled else "white",
        "markeredgewidth": 1.3,
        "color": colour,
        "linestyle": "",
    }


def _legend(figure: Figure, points: Iterable[Point]) -> Legend:
    """Above the axes, where no point can come to lie; says what there is and nothing else."""
    colours = {point.kind: point.colour for point in points}
    handles = [
        Line2D([], [], **_marker(kind, colours[kind]), label=meaning)
        for kind, meaning in MEANINGS.items()
        if kind in colours
    ]
    return figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(LEFT, LEGEND_TOP),
        ncols=2,
        fontsize=8.5,
        handlelength=1.2,
        borderpad=0,
        borderaxespad=0,
        columnspacing=3,
    )


def _words(figure: Figure, ours: Sequence[Measured]) -> None:
    """Title above and footnotes below."""
    title = "CIFAR-100: what a training costs, and what it reaches"
    figure.text(LEFT, 0.958, title, fontsize=14, fontweight="bold", color=INK)
    subtitle = "Fine accuracy (100 classes) on the test images, against the arithmetic of the whole training"
    figure.text(LEFT, 0.924, subtitle, fontsize=10)
    by_images = itertools.groupby(sorted(ours, key=_num_train), key=_num_train)
    images = "; ".join(f"{num:,} ({', '.join(recipe.name for recipe in group)})" for num, group in by_images)
    notes = (
        "1 PFLOP = 1e15 operations, as 6 x multiply-adds x images x epochs: convolutions and dense layers, forward and "
        "backward; the optimizer's own are left out.",
        "Cost of ours: counted from the network's graph. Sources of the published: "
        "benchmarks/publish/published_results.py. Bars: one standard deviation.",
        f"Training images: ours {images}; published 50,000.",
    )
    figure.text(LEFT, 0.018, "\n".join(notes), fontsize=7.8, linespacing=1.45, parse_math=False)


def _num_train(recipe: Measured) -> int:
    return recipe.num_train


def _mark_study(axes: Axes) -> tuple[Artist, ...]:
    """The line that the project had to cross, and its name."""
    line = axes.axhline(STUDY_FINE_PERCENT, color=STUDY, linestyle=(0, (6, 3)), linewidth=1.4, zorder=1)
    name = axes.annotate(
        f"the study that this project replaces: {STUDY_FINE_PERCENT:g} %, cost not known",
        (1, STUDY_FINE_PERCENT),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        color=STUDY,
        fontsize=8.5,
    )
    return line, name


def _name(figure: Figure, axes: Axes, points: Sequence[Point], beside: Iterable[Artist]) -> None:
    """Write each point's name at a free place near it, clear of what lies `beside`."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    taken = [artist.get_window_extent(renderer) for artist in beside]
    names = [_written(figure, point) for point in points]
    labels = [
        label_placement.Label(_mark_box(axes, point), name.get_window_extent(renderer).size)
        for point, name in zip(points, names, strict=True)
    ]
    places = label_placement.find(labels, axes.get_window_extent(renderer), taken, DOTS_PER_INCH / 72)
    to_figure = figure.transFigure.inverted()  # shares of the figure hold at any density
    for point, name, label, place in zip(points, names, labels, places, strict=True):
        x, y = to_figure.transform(np.mean(place.box.get_points(), axis=0))
        name.set_position((x, y))
        name.set_multialignment("left" if place.box.x0 > label.mark.x0 else "right")
        if place.leader:
            ends = to_figure.transform(place.leader.vertices)
            figure.add_artist(Line2D(*ends.T, color=point.colour, linewidth=0.8))


def _written(figure: Figure, point: Point) -> Text:
    text = figure.text(0, 0, point.label, ha="center", va="center", fontsize=8.5, parse_math=False)
    if point.is_ours:
        text.set(color=point.colour, fontsize=10, fontweight="bold")
    return text


def _mark_box(axes: Axes, point: Point) -> Bbox:
    """In pixels, error bars included."""
    ends = [(point.petaflop, point.percent - point.spread), (point.petaflop, point.percent + point.spread)]
    return Bbox(axes.transData.transform(ends)).padded((MARKER_POINTS / 2 + 1) * DOTS_PER_INCH / 72)
