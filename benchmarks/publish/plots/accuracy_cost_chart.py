"""The chart of accuracy over training cost: a point with its name for each recipe."""

import dataclasses
import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.style
import numpy as np
import textalloc
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from benchmarks.publish.our_results import Measured
from benchmarks.publish.published_results import ORIGINAL_FINE_PERCENT, PUBLISHED, Recipe
from models.reporting import plots

INCHES, DOTS_PER_INCH = (6.8, 5.4), 200  # so small that words stay legible on a telephone
AXES = (0.092, 0.168, 0.886, 0.636)  # left, bottom, width, height, as shares of the figure's
LEFT, LEGEND_TOP = 0.017, 0.905
OURS, ORIGINAL, PUBLISHED_COLOUR = plots.COLOURS["fine"], plots.COLOURS["coarse"], "#6b7480"
INK = "#1b222c"
MARKER_POINTS = 8.0
SIZES = {"title": 14.5, "ours": 12.5, "text": 10.5}  # of fonts, in points

# Markers: round is ours; a square is a single view of each image; filled is a cost that was counted.
MEANINGS = {
    ("o", True): "this project",
    ("s", True): "published, cost as stated",
    ("s", False): "published, cost estimated",
    ("^", True): "several views perhaps, cost as stated",
    ("^", False): "several views, cost estimated",
}


@dataclasses.dataclass(frozen=True)
class Point:
    """A recipe on the chart; `spread` is the length of its error bar to either side, in percent.

    A point with an empty label is a marker alone.
    """

    label: str
    petaflop: float
    percent: float
    kind: tuple[str, bool]  # one of MEANINGS: its marker, and whether that is filled
    spread: float = 0.0

    @property
    def is_ours(self) -> bool:
        """Whether it is a recipe of ours, which stands out."""
        return self.kind == ("o", True)


def draw(ours: Sequence[Measured], published: Sequence[Recipe] = PUBLISHED) -> Figure:
    """The chart of our recipes and published ones, with a legend and footnotes."""
    points = [*map(_of_ours, ours), *map(_of_published, published)]
    with matplotlib.style.context(["default", plots.STYLE]):  # not the user's own matplotlibrc
        figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH)
        axes = figure.add_axes(AXES, xscale="log")
        _scale(axes, points)
        for point in points:
            _mark(axes, point)
        _legend(figure, points)
        _texts(figure, ours)
        _name(figure, axes, points, _mark_original_study(axes))
    return figure


def _of_ours(recipe: Measured) -> Point:
    return Point(
        f"{recipe.name} {recipe.mean:.1f} %", recipe.petaflop, recipe.mean, ("o", True), recipe.deviation or 0.0
    )


def _of_published(recipe: Recipe) -> Point:
    kind = ("s" if recipe.single_view else "^", not recipe.cost_is_estimated)
    return Point(recipe.chart_name, recipe.petaflop, recipe.fine_percent, kind)


def _scale(axes: Axes, points: Iterable[Point]) -> None:
    costs = [point.petaflop for point in points]
    percents = [ORIGINAL_FINE_PERCENT, *(point.percent for point in points)]
    axes.set_xlim(min(costs) / 1.8, max(costs) * 1.8)
    axes.set_ylim(math.floor(min(percents)) - 1.5, math.ceil(max(percents)) + 1.5)
    axes.set_xlabel("training cost (PFLOP)", fontsize=SIZES["text"])
    axes.set_ylabel("accuracy on test, 100 classes (%)", fontsize=SIZES["text"])
    axes.tick_params(labelsize=SIZES["text"])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _mark(axes: Axes, point: Point) -> None:
    bar: dict[str, Any] = {"yerr": point.spread, "capsize": 3.5, "elinewidth": 1.4} if point.spread else {}
    axes.errorbar(point.petaflop, point.percent, **_marker(point.kind), **bar, zorder=4 if point.is_ours else 3)


def _colour(kind: tuple[str, bool]) -> str:
    return OURS if kind == ("o", True) else PUBLISHED_COLOUR


def _marker(kind: tuple[str, bool]) -> dict[str, Any]:
    marker, filled = kind
    face = _colour(kind) if filled else "white"
    size = {"markersize": MARKER_POINTS, "markeredgewidth": 1.3, "linestyle": ""}
    return {"marker": marker, "markerfacecolor": face, "color": _colour(kind), **size}


def _legend(figure: Figure, points: Iterable[Point]) -> None:
    """Explain each kind of marker that there is, above the axes, where no point lies."""
    kinds = {point.kind for point in points}
    handles = [Line2D([], [], **_marker(kind), label=text) for kind, text in MEANINGS.items() if kind in kinds]
    spaces: dict[str, Any] = {"handlelength": 1.2, "borderpad": 0, "borderaxespad": 0, "columnspacing": 2}
    figure.legend(
        handles=handles, fontsize=SIZES["text"], loc="upper left", bbox_to_anchor=(LEFT, LEGEND_TOP), ncols=2, **spaces
    )


def _texts(figure: Figure, ours: Sequence[Measured]) -> None:
    """Title above and footnotes below."""
    title = "CIFAR-100: accuracy against training cost"
    figure.text(LEFT, 0.936, title, fontsize=SIZES["title"], fontweight="bold", color=INK)
    num_train = operator.attrgetter("num_train")
    by_images = itertools.groupby(sorted(ours, key=num_train), key=num_train)
    images = "; ".join(f"{num:,} ({', '.join(recipe.name for recipe in group)})" for num, group in by_images)
    notes = (
        f"Training images: {images}; published 50,000.\n"
        "Bars: one standard deviation. A single view of each test image, triangles excepted."
    )
    figure.text(LEFT, 0.02, notes, fontsize=9, linespacing=1.35, parse_math=False)


def _mark_original_study(axes: Axes) -> tuple[Artist, ...]:
    """A line at the accuracy of the original study, and its name."""
    line = axes.axhline(ORIGINAL_FINE_PERCENT, color=ORIGINAL, linestyle=(0, (6, 3)), linewidth=1.4, zorder=1)
    text = f"original study: {ORIGINAL_FINE_PERCENT:g} %, cost unknown"
    place: dict[str, Any] = {"xytext": (-4, -4), "textcoords": "offset points", "ha": "right", "va": "top"}
    end = (1, ORIGINAL_FINE_PERCENT)
    name = axes.annotate(
        text, end, xycoords=axes.get_yaxis_transform(), **place, color=ORIGINAL, fontsize=SIZES["text"]
    )
    return line, name


def _name(figure: Figure, axes: Axes, points: Sequence[Point], obstacles: Sequence[Artist]) -> None:
    """Write the name of each point, with a line to it, at a free place near it that overlaps no obstacle."""
    renderer, to_data = FigureCanvasAgg(figure).get_renderer(), axes.transData.inverted()
    outline = [0, 1, 3, 2, 0]  # of the corners in matplotlib's order
    lines = [artist.get_window_extent(renderer).transformed(to_data).corners()[outline] for artist in obstacles]
    bars = [point for point in points if point.spread]
    lines += [np.array([(bar.petaflop, bar.percent + way * bar.spread) for way in (-1, 1)]) for bar in bars]
    named = [point for point in points if point.label]
    is_ours = [point.is_ours for point in named]
    textalloc.allocate(
        axes,
        [point.petaflop for point in named],
        [point.percent for point in named],
        [point.label for point in named],
        x_scatter=[point.petaflop for point in points],
        y_scatter=[point.percent for point in points],
        x_lines=[line[:, 0] for line in lines],
        y_lines=[line[:, 1] for line in lines],
        margin=0.012,
        avoid_label_lines_overlap=True,
        avoid_crossing_label_lines=True,
        textsize=np.where(is_ours, SIZES["ours"], SIZES["text"]).tolist(),
        fontweight=np.where(is_ours, "bold", "normal").tolist(),
        textcolor=np.where(is_ours, OURS, plots.COLOURS["ink"]).tolist(),
        parse_math=False,
        linecolor=[_colour(point.kind) for point in named],
        linewidth=0.8,
    )
