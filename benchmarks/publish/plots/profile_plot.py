"""The plot of `benchmarks.profile`: the time of the parts of a step, and a roofline (Williams et al. 2009)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import textalloc
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.profile.parts import MULTIPLYING, PARTS
from models.reporting.plot_style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, ROW_INCHES, SKY, VERMILION

Rows = Sequence[Mapping[str, Any]]

_COLOURS = (GREY, BLUE, SKY, GREEN, PURPLE, ORANGE, "#f0e442", "#b8bec8", VERMILION, INK)
COLOURS = dict(zip(PARTS, _COLOURS, strict=True))
MARKERS = dict(zip(MULTIPLYING, "os^D", strict=True))
ROOFLINE_INCHES = 5.2
SMALLEST_NAMED = 0.06  # of the longest step: parts with room for their milliseconds


def draw(rows: Rows) -> Figure:
    """Bars of milliseconds by part for each recipe, above rates against arithmetic intensity, below their ceilings."""
    steps = [row for row in rows if row["kind"] == "step"]
    bars_inches = 1.1 + 1.6 * ROW_INCHES * len(steps)
    figure = Figure(figsize=(9, bars_inches + ROOFLINE_INCHES), layout="constrained")
    bars, roofline = figure.subplots(2, height_ratios=(bars_inches, ROOFLINE_INCHES))
    _draw_bars(bars, rows, steps)
    _draw_roofline(roofline, rows)
    figure.suptitle("Where a training step's time goes", x=0.01, ha="left")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # names find their places among what stays where it is
    _name_points(roofline, rows)
    return figure


def _parts(rows: Rows, recipe: str | None = None) -> Rows:
    return [row for row in rows if row["kind"] == "part" and recipe in (None, row["recipe"])]


def _draw_bars(axes: Axes, rows: Rows, steps: Rows) -> None:
    sums = [sum(row["median"] for row in _parts(rows, step["recipe"])) for step in steps]
    longest = max([*sums, *(step["median"] for step in steps)])
    for place, step in enumerate(steps):
        left = 0.0
        for row in _parts(rows, step["recipe"]):
            colour, width = COLOURS[row["metric"]], row["median"]
            axes.barh(place, width, left=left, color=colour, edgecolor="white", linewidth=0.6, height=0.66)
            if width > SMALLEST_NAMED * longest:
                text = axes.text(left + width / 2, place, _milliseconds(width), ha="center", va="center", fontsize=8.5)
                text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.8})
            left += width
        axes.barh(place, step["median"], facecolor="none", edgecolor=INK, linewidth=0.8, height=0.8)
        end = max(left, step["median"]) + 0.01 * longest
        axes.text(end, place, f"{_milliseconds(step['median'])} ms", va="center", fontsize=8.5)
    names = [f"{step['recipe']}\n{step['precision']}, {step['batch_size']} images" for step in steps]
    axes.set_yticks(range(len(steps)), names, fontsize=8.5)
    axes.set_ylim(len(steps) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * longest)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("milliseconds a step, in the order of the legend (frame: the whole step without a profiler)")
    shown = {row["metric"] for row in _parts(rows)}
    handles = [Line2D([], [], color=COLOURS[part], linewidth=8, label=_text(part)) for part in PARTS if part in shown]
    _legend(axes, handles)


def _legend(axes: Axes, handles: list[Line2D]) -> None:
    """A legend above the axes."""
    axes.legend(handles=handles, ncols=5, loc="lower left", bbox_to_anchor=(0, 1), handlelength=1.0, fontsize=8.5)


def _draw_roofline(axes: Axes, rows: Rows) -> None:
    points = _points(rows)
    (copy,) = (row["median"] for row in rows if row["unit"] == "GB/s")
    ceilings = {row["dtype"]: row["median"] for row in rows if row["kind"] == "ceiling" and "dtype" in row}
    intensities = [row["intensity"] for row in points] + [ceiling / copy for ceiling in ceilings.values()]
    first, last = min(intensities, default=1) / 2, max(intensities, default=100) * 5
    axes.set(xscale="log", yscale="log", xlim=(first, last))
    axes.set(xlabel="arithmetic intensity (FLOP a byte)", ylabel="GFLOP/s")
    top = max(ceilings.values(), default=copy * last)
    axes.set_ylim(min([copy * first, *(_gflops(row) for row in points)]) / 2, top * 2.2)
    axes.plot((first, top / copy), (copy * first, top), color=INK, linewidth=1.4)
    along: dict[str, Any] = {
        "rotation": math.degrees(math.atan(copy)),
        "rotation_mode": "anchor",
        "transform_rotates_text": True,
    }
    name = f"copy: {copy:,.3g} GB/s"
    axes.text(1.1 * first, 1.1 * copy * first, name, va="bottom", fontsize=8.5, **along)
    for dtype, ceiling in ceilings.items():
        axes.plot((ceiling / copy, last), (ceiling, ceiling), color=INK, linewidth=1.4)
        above: dict[str, Any] = {"xytext": (-2, 3), "textcoords": "offset points", "ha": "right", "fontsize": 8.5}
        axes.annotate(f"best convolution, {dtype}: {ceiling:,.0f} GFLOP/s", (last, ceiling), **above)
    for row in points:
        axes.plot(row["intensity"], _gflops(row), **_marker(row["metric"]))
    shown = [part for part in MULTIPLYING if part in {row["metric"] for row in points}]
    handles = [Line2D([], [], **_marker(part), label=_text(part)) for part in shown]
    _legend(axes, handles)
    axes.grid()


def _name_points(axes: Axes, rows: Rows) -> None:
    """Write the recipe of each point at a free place near it."""
    points = _points(rows)
    x, y = [row["intensity"] for row in points], [_gflops(row) for row in points]
    lines = [line for line in axes.lines if line.get_linestyle() == "-"]
    to_data = axes.transData.inverted()
    boxes = [text.get_window_extent().transformed(to_data).corners()[[0, 1, 3, 2, 0]] for text in axes.texts]
    textalloc.allocate(
        axes,
        x,
        y,
        [row["recipe"] for row in points],
        x_scatter=x,
        y_scatter=y,
        x_lines=[*(np.asarray(line.get_xdata()) for line in lines), *(box[:, 0] for box in boxes)],
        y_lines=[*(np.asarray(line.get_ydata()) for line in lines), *(box[:, 1] for box in boxes)],
        margin=0.018,
        min_distance=0.02,
        max_distance=0.3,
        nbr_candidates=500,
        textsize=8.5,
        linecolor=[COLOURS[row["metric"]] for row in points],
        linewidth=0.8,
    )


def _points(rows: Rows) -> Rows:
    return [row for row in _parts(rows) if row.get("tflops")]


def _gflops(row: Mapping[str, Any]) -> float:
    return 1e3 * row["tflops"]


def _marker(part: str) -> dict[str, Any]:
    return {"marker": MARKERS[part], "color": COLOURS[part], "markersize": 7, "linestyle": ""}


def _milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(part: str) -> str:
    return part.replace("_", " ")
