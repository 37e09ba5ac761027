"""Plots of committed results: rates of ours and of peers, and memory against augmented images."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.publish.plots import profile_plot, robustness_plots
from models.reporting.plot_style import BLUE, GREY, ORANGE, ROW_INCHES, SKY, STYLE, VERMILION, save_figures

Rows = Sequence[Mapping[str, Any]]


def draw(documents: Mapping[str, Mapping[str, Any]], folder: pathlib.Path) -> list[pathlib.Path]:
    """Write a plot of each result that has one, as PNG under the name of the result; return their paths."""
    with matplotlib.style.context(["default", STYLE]):  # not the user's own matplotlibrc
        shown = [(name, PLOTS.get(document["benchmark"]), document["rows"]) for name, document in documents.items()]
        return save_figures({name: plot(rows) for name, plot, rows in shown if plot}, folder)


def _train_step(rows: Rows) -> Figure | None:
    """How many times as fast as PyTorch each recipe's bare step is, by precision."""
    compared = [row for row in rows if row.get("peer") == "pytorch"]
    if not compared:
        return None
    names = [f"{row['recipe']}/{row['precision']}" for row in compared]
    colours = [BLUE if "bfloat16" in name else SKY for name in names]
    figure, axes = _rows_of(names, "times as fast as PyTorch, bare training step")
    axes.barh(range(len(names)), [row["ratio"] for row in compared], color=colours, height=0.66)
    for place, row in enumerate(compared):
        text = axes.text(row["ratio"] + 0.005, place, f"{row['ratio']:.2f}", va="center", fontsize=8.5)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})  # legible over the line
    axes.axvline(1.0, color=VERMILION, linewidth=1.2)
    return figure


def _input(rows: Rows) -> Figure:
    """Images per second of every loader, without the stages, on a logarithmic scale."""
    shown = [row for row in rows if row["unit"] == "images/s" and row["kind"] != "stage"]
    label = "images a second: the median of the rounds, and their spread"
    figure, axes = _rows_of([row["name"] for row in shown], label)
    for place, row in enumerate(shown):
        colour = ORANGE if "peer" in row else GREY if row["kind"] == "ceiling" else BLUE
        axes.plot((row["min"], row["max"]), (place, place), color=colour, linewidth=2.5, alpha=0.5)
        axes.plot(row["median"], place, "o", color=colour, markersize=8)
        axes.text(1.12 * row["max"], place, f"{row['median']:,.0f}", va="center", fontsize=8.5)
    axes.set_xscale("log")  # points, not bars: a length from nowhere would say nothing
    axes.set_xlim(right=3 * max(row["max"] for row in shown))
    axes.grid(axis="y", color="#eef1f5")
    return figure


def _memory(rows: Rows) -> Figure:
    """Peak memory against augmented images: ours, and the study's array, measured or predicted."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot(xlabel="augmented images an epoch", ylabel="memory at the peak (MiB)")
    for peer, label, colour in ((None, "streamed (ours)", BLUE), ("study", "the study's", ORANGE)):
        peaks = [row for row in rows if row["kind"] == "peak" and row.get("peer") == peer]
        if peaks:
            axes.plot([row["views"] for row in peaks], [row["median"] for row in peaks], color=colour, label=label)
        for row in peaks:
            filled = colour if not row.get("predicted") else "white"
            axes.plot(row["views"], row["median"], "o", color=colour, markerfacecolor=filled, markersize=7)
    axes.set(xscale="log", yscale="log")
    axes.grid()
    axes.legend(title="hollow: would not fit, predicted", loc="upper left")
    figure.suptitle("Memory against the number of augmented images", x=0.01, ha="left")
    return figure


def _scaling(rows: Rows) -> Figure:
    """Images a second and peak memory, against what is varied."""
    panels = (("images in the data set", "size", "num_images"), ("images a batch", "batch", "batch_size"))
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    grid = figure.subplots(2, 2, sharey="row", sharex="col")
    for column, (label, kind, varied) in enumerate(panels):
        for cache, name, colour in (("memory", "cache in memory", BLUE), ("none", "no cache", ORANGE)):
            measured = [row for row in rows if row["kind"] == kind and row["cache"] == cache]
            sizes = [row[varied] for row in measured]
            for axes, key in zip(grid[:, column], ("median", "peak_mib"), strict=True):
                axes.plot(sizes, [row[key] for row in measured], "o-", color=colour, label=name if measured else None)
        grid[1, column].set(xlabel=label, xscale="log")
    for axes, label in zip(grid[:, 0], ("images a second", "memory at the peak (MiB)"), strict=True):
        axes.set(ylabel=label, yscale="log")
    for axes in grid.flat:
        axes.grid()
    grid[0, 0].legend(loc="best")
    figure.suptitle("How the host's feed grows", x=0.01, ha="left")
    return figure


def _rows_of(names: Sequence[str], label: str) -> tuple[Figure, Axes]:
    """A row for each name, the first one at the top, along an axis with that label."""
    figure = Figure(figsize=(9, 1.0 + ROW_INCHES * len(names)), layout="constrained")
    axes = figure.add_subplot(xlabel=label)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure, axes


PLOTS: dict[str, Callable[[Rows], Figure | None]]
PLOTS = {
    "train_step": _train_step,
    "profile": profile_plot.draw,
    "input": _input,
    "memory": _memory,
    "scaling": _scaling,
    "robustness": robustness_plots.draw,
}
