"""The chart of accuracy over training cost: a point with its name for each recipe."""

import dataclasses
import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox

from benchmarks.publish import label_placement
from benchmarks.publish.our_results import Measured
from benchmarks.publish.published_results import ORIGINAL_FINE_PERCENT, PUBLISHED, Recipe
from models.reporting import plots

INCHES, DOTS_PER_INCH = (9.0, 6.6), 200  # twice the pixels of a page of 900
AXES = (0.064, 0.172, 0.922, 0.65)  # left, bottom, width, height, as shares of the figure's
LEFT, LEGEND_TOP = 0.017, 0.904
OURS, ORIGINAL, PUBLISHED_COLOUR = plots.COLOURS["fine"], plots.COLOURS["coarse"], "#6b7480"
INK = "#1b222c"
MARKER_POINTS = 7.0

# Markers: round is ours; a square is a single view of each image; filled is a cost that was counted.
MEANINGS = {
    ("o", True): "ours: one view an image, cost counted",
    ("s", True): "published: one view, cost as stated",
    ("s", False): "published: one view, cost estimated",
    ("^", True): "published: perhaps several views, cost as stated",
    ("^", False): "published: several views, cost estimated",
}


@dataclasses.dataclass(frozen=True)
class Point:
    """A recipe on the chart; `spread` is the length of its error bar to either side, in per cent."""

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
    spread = "" if recipe.deviation is None else f" ± {recipe.deviation:.1f}"
    label = f"{recipe.name}\n{recipe.mean:.1f}{spread} %"
    return Point(label, recipe.petaflop, recipe.mean, ("o", True), recipe.deviation or 0.0)


def _of_published(recipe: Recipe) -> Point:
    kind = ("s" if recipe.single_view else "^", not recipe.cost_is_estimated)
    return Point(recipe.name, recipe.petaflop, recipe.fine_percent, kind)


def _scale(axes: Axes, points: Iterable[Point]) -> None:
    costs = [point.petaflop for point in points]
    percents = [ORIGINAL_FINE_PERCENT, *(point.percent for point in points)]
    axes.set_xlim(min(costs) / 1.8, max(costs) * 1.8)
    axes.set_ylim(math.floor(min(percents)) - 1.5, math.ceil(max(percents)) + 1.5)
    axes.set_xlabel("training cost (PFLOP, logarithmic)")
    axes.set_ylabel("fine accuracy on test (%)")
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
    spaces: dict[str, Any] = {"handlelength": 1.2, "borderpad": 0, "borderaxespad": 0, "columnspacing": 3}
    figure.legend(handles=handles, fontsize=8.5, loc="upper left", bbox_to_anchor=(LEFT, LEGEND_TOP), ncols=2, **spaces)


def _texts(figure: Figure, ours: Sequence[Measured]) -> None:
    """Title above and footnotes below."""
    title = "CIFAR-100: what a training costs, and what it reaches"
    figure.text(LEFT, 0.958, title, fontsize=14, fontweight="bold", color=INK)
    subtitle = "Fine accuracy (100 classes) on the test images, against the arithmetic of the whole training"
    figure.text(LEFT, 0.924, subtitle, fontsize=10)
    num_train = operator.attrgetter("num_train")
    by_images = itertools.groupby(sorted(ours, key=num_train), key=num_train)
    images = "; ".join(f"{num:,} ({', '.join(recipe.name for recipe in group)})" for num, group in by_images)
    notes = (
        "1 PFLOP = 1e15 operations, as 6 x multiply-adds x images x epochs: convolutions and dense layers, forward and "
        "backward; the optimizer's own are left out.",
        "Cost of ours: counted from the network's graph. Sources of the published: "
        "benchmarks/publish/published_results.py. Bars: one standard deviation.",
        f"Training images: ours {images}; published 50,000.",
    )
    figure.text(LEFT, 0.018, "\n".join(notes), fontsize=7.8, linespacing=1.45, parse_math=False)


def _mark_original_study(axes: Axes) -> tuple[Artist, ...]:
    """A line at the accuracy of the original study, and its name."""
    line = axes.axhline(ORIGINAL_FINE_PERCENT, color=ORIGINAL, linestyle=(0, (6, 3)), linewidth=1.4, zorder=1)
    name = axes.annotate(
        f"the original study: {ORIGINAL_FINE_PERCENT:g} %, cost unknown",
        (1, ORIGINAL_FINE_PERCENT),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        color=ORIGINAL,
        fontsize=8.5,
    )
    return line, name


def _name(figure: Figure, axes: Axes, points: Sequence[Point], obstacles: Iterable[Artist]) -> None:
    """Write the name of each point at a free place near it that overlaps no obstacle."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    taken = [artist.get_window_extent(renderer) for artist in obstacles]
    names = [_write(figure, point) for point in points]
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
            figure.add_artist(Line2D(*ends.T, color=_colour(point.kind), linewidth=0.8))


def _write(figure: Figure, point: Point) -> Text:
    text = figure.text(0, 0, point.label, ha="center", va="center", fontsize=8.5, parse_math=False)
    if point.is_ours:
        text.set(color=OURS, fontsize=10, fontweight="bold")
    return text


def _mark_box(axes: Axes, point: Point) -> Bbox:
    """The box of a point in pixels, with its error bar."""
    ends = [(point.petaflop, point.percent - point.spread), (point.petaflop, point.percent + point.spread)]
    return Bbox(axes.transData.transform(ends)).padded((MARKER_POINTS / 2 + 1) * DOTS_PER_INCH / 72)
