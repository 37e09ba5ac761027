"""The plots of a study's report: bars and differences, learning curves, and of two factors a heat map or lengths."""

import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from models.reporting import plot_style
from models.reporting.plot_style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILION
from tuning import statistics
from tuning.studies.design import EPOCHS, METRICS

LINE_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, INK)
LINE_STYLES = ("-", "--", ":", "-.")
VERDICT_COLOURS = {statistics.HIGHER: BLUE, statistics.LOWER: VERMILION}
VERDICT_MARKS = {statistics.HIGHER: " ▲", statistics.LOWER: " ▼"}
POINTS_HEIGHT = 0.4  # of a row, over which the points of its seeds are spread so that they do not overlap
MOST_MARGIN = 2.0  # of the differences' own span, that intervals may take on either side of it
MOST_IN_A_LINE = 6  # of the legend's entries
MOST_LINES = 28  # colors times styles

Report = Mapping[str, Any]


def draw(report: Report, folder: pathlib.Path) -> list[pathlib.Path]:
    """Plot a study's report as PNG files in an existing folder and return their paths."""
    with matplotlib.style.context(["default", plot_style.STYLE]):  # not the user's own matplotlibrc
        pictures: dict[str, Figure | None] = {}
        for name in report["metrics"]:
            rows = _rows(report, name)
            if rows:
                pictures[f"bars_{name}"] = _bars(report, rows, name)
                pictures[f"curves_{name}"] = _curves(report, rows, name)
            if rows and len(report["factors"]) == 2:
                by_length = report["factors"][1] == EPOCHS
                picture = _lengths if by_length else _heat_map
                pictures[f"{'lengths' if by_length else 'heat_map'}_{name}"] = picture(report, rows, name)
        return plot_style.save_figures(pictures, folder)


def _rows(report: Report, name: str) -> list[dict[str, Any]]:
    return [row for row in report["variants"] if row["measured"].get(name, {}).get("values")]


def _label(name: str) -> str:
    return name.replace("_", " ")


def _heading(report: Report, name: str) -> str:
    return (
        f"{report['study']}, {report['dataset']}, budget {report['budget']}: validation accuracy, {METRICS[name]} (%)"
    )


def _bars(report: Report, rows: Sequence[dict[str, Any]], name: str) -> Figure:
    """Left: means with intervals, seeds as points, the study's figure as a diamond. Right: differences, paired."""
    height = 1.9 + plot_style.ROW_INCHES * len(rows)
    figure = Figure(figsize=(11, height), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    left.set_yticks(range(len(rows)), [_label(row["name"]) for row in rows])
    left.set_ylim(len(rows) - 0.4, -0.6)  # the first row on top
    for axes in (left, right):
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    for place, row in enumerate(rows):
        _draw_mean(left, place, row["measured"][name], row["name"] == report["reference"])
        _draw_difference(right, place, row["measured"][name]["comparison"], report["reference"])
    left.set_xlim(0, min(100.0, 1.18 * max(_greatest(row["measured"][name]) for row in rows)))
    left.set_xlabel("accuracy (%)")
    others = ", or as named" if right.texts else ""
    comparisons = [row["measured"][name]["comparison"] for row in rows]
    _frame_differences(right, comparisons)
    goes_on = "\n(an arrow: the interval goes on)" if _draw_arrows(right, comparisons) else ""
    right.set_xlabel(f"points from {_label(report['reference'])}{others}, paired by seed{goes_on}")
    figure.suptitle(_heading(report, name), x=0.01, ha="left")
    named: dict[str, Any] = {}
    for axes in (left, right):
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    ncols = len(named) if len(named) <= MOST_IN_A_LINE else -(-len(named) // 2)
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=ncols)
    return figure


def _draw_mean(axes: Axes, place: int, measured: Mapping[str, Any], is_reference: bool) -> None:
    mean = 100 * measured["mean"]
    axes.barh(
        place,
        mean,
        height=0.62,
        color=SKY if is_reference else "#c9ced6",
        label="reference" if is_reference else "mean",
    )
    if measured["low"] is not None:
        ends = [[mean - 100 * measured["low"]], [100 * measured["high"] - mean]]
        axes.errorbar(mean, place, xerr=ends, color=INK, capsize=4, linewidth=1.4, label="95 % interval")
    values = [100 * value for value in measured["values"].values()]
    apart = [place + POINTS_HEIGHT * (number / max(1, len(values) - 1) - 0.5) for number in range(len(values))]
    axes.plot(values, apart, "o", color="white", markeredgecolor=INK, markersize=4.5, label="one seed")
    if measured["study_mean"] is not None:
        axes.plot(
            *(100 * measured["study_mean"], place),
            "D",
            color=ORANGE,
            markeredgecolor=INK,
            markersize=7,
            label="original study",
        )


def _greatest(measured: Mapping[str, Any]) -> float:
    return 100 * max(*measured["values"].values(), measured["mean"], measured["study_mean"] or 0.0)


def _draw_difference(axes: Axes, place: int, comparison: Mapping[str, Any] | None, reference: str) -> None:
    if comparison is None or comparison["difference"] is None:
        return
    difference, verdict = 100 * comparison["difference"], comparison["verdict"]
    colour = VERDICT_COLOURS.get(verdict, GREY)
    marker = {statistics.HIGHER: ">", statistics.LOWER: "<"}.get(verdict, "o")
    axes.plot(difference, place, marker, color=colour, markersize=7, label=verdict)
    if comparison["against"] != reference:
        axes.annotate(
            f"from {_label(comparison['against'])}", (difference, place), (0, -7), textcoords="offset points",
            ha="center", va="top", fontsize=8, color=INK,
        )  # fmt: skip
    if comparison["low"] is not None:
        axes.hlines(place, 100 * comparison["low"], 100 * comparison["high"], color=colour, linewidth=1.6)


def _frame_differences(axes: Axes, comparisons: Sequence[Mapping[str, Any] | None]) -> None:
    """Wide enough for every difference; an interval of few seeds may reach far beyond, and is cut."""
    axes.axvline(0, color=INK, linewidth=1)
    known = [100 * one["difference"] for one in comparisons if one and one["difference"] is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = max(high - low, 1.0)
    ends = [100 * one[end] for one in comparisons if one and one["low"] is not None for end in ("low", "high")]
    reach = max([0.0, *(max(low - end, end - high) for end in ends)])
    margin = max(0.6 * span, min(1.1 * reach, MOST_MARGIN * span))
    axes.set_xlim(low - margin, high + margin)
    if not known:
        axes.text(0, 0.5, "needs the reference and a second variant", ha="center", color=GREY)


def _draw_arrows(axes: Axes, comparisons: Sequence[Mapping[str, Any] | None]) -> bool:
    """At the frame's edge where an interval goes on beyond it; whether there is one."""
    (least, most), is_cut = axes.get_xlim(), False
    length = 0.03 * (most - least)
    for place, one in enumerate(comparisons):
        if one is None or one["low"] is None:
            continue
        colour = VERDICT_COLOURS.get(one["verdict"], GREY)
        for edge, inner, beyond in (
            (least, least + length, 100 * one["low"] < least),
            (most, most - length, 100 * one["high"] > most),
        ):
            if beyond:
                arrow = {"arrowstyle": "->", "color": colour, "shrinkA": 0, "shrinkB": 0}
                axes.annotate("", (edge, place), (inner, place), arrowprops=arrow)
                is_cut = True
    return is_cut


def _heat_map(report: Report, rows: Sequence[dict[str, Any]], name: str) -> Figure:
    """A cell a pair of levels: mean, verdict and standard deviation; the highest mean in bold."""
    across = list(dict.fromkeys(row["levels"][1] for row in rows if row["levels"]))
    down = list(dict.fromkeys(row["levels"][0] for row in rows if row["levels"]))
    measured = {tuple(row["levels"]): row["measured"][name] for row in rows if row["levels"]}
    grid = [[100 * measured[y, x]["mean"] if (y, x) in measured else float("nan") for x in across] for y in down]
    figure = Figure(figsize=(2.2 + 1.15 * len(across), 1.9 + 0.62 * len(down)), layout="constrained")
    axes = figure.add_subplot(xlabel=report["factors"][1], ylabel=report["factors"][0])
    picture = axes.imshow(grid, cmap="cividis", aspect="auto")
    axes.set_xticks(range(len(across)), across)
    axes.set_yticks(range(len(down)), down)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    low, high = picture.get_clim()
    best = max(measured, key=lambda pair: measured[pair]["mean"])
    for (y, level_y), (x, level_x) in itertools.product(enumerate(down), enumerate(across)):
        if (level_y, level_x) not in measured:
            continue
        mean, std = measured[level_y, level_x]["mean"], measured[level_y, level_x]["std"]
        verdict = (measured[level_y, level_x]["comparison"] or {}).get("verdict", "")
        text = f"{100 * mean:.1f}{VERDICT_MARKS.get(verdict, '')}" + ("" if std is None else f"\n± {100 * std:.1f}")
        dark = 100 * mean < (low + high) / 2
        weight = "bold" if (level_y, level_x) == best else "normal"
        axes.text(x, y, text, ha="center", va="center", color="white" if dark else "black", weight=weight)
    figure.colorbar(picture, label="accuracy (%)")
    marks = f"▲ ▼ higher, lower than {report['reference']}; bold: the highest mean"
    figure.suptitle(f"{_heading(report, name)}\n{marks}", x=0.01, ha="left", fontsize=9.5)
    return figure


def _lengths(report: Report, rows: Sequence[dict[str, Any]], name: str) -> Figure:
    """Accuracy at the end against the length of training, a color for each level of the first factor.

    Solid: validation, with a point for each seed. Dashed: the training images in the last epoch, as augmented.
    """
    figure = Figure(figsize=(8.5, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="epochs of training", ylabel="accuracy (%)", xscale="log")
    axes.grid()
    for level, colour in zip(dict.fromkeys(row["levels"][0] for row in rows), itertools.cycle(LINE_COLOURS)):
        group = sorted((row for row in rows if row["levels"][0] == level), key=lambda row: float(row["levels"][1]))
        lengths = [float(row["levels"][1]) for row in group]
        means = [100 * row["measured"][name]["mean"] for row in group]
        axes.plot(lengths, means, color=colour, linewidth=2, label=f"{_label(level)}: validation")
        trained = [float("nan") if value is None else 100 * value for value in (row["training"][name] for row in group)]
        axes.plot(lengths, trained, color=colour, linestyle="--", linewidth=1.3, label=f"{_label(level)}: training")
        for length, row in zip(lengths, group, strict=True):
            values = [100 * value for value in row["measured"][name]["values"].values()]
            axes.plot([length] * len(values), values, "o", color="white", markeredgecolor=colour, markersize=4.5)
    ticks = sorted({float(row["levels"][1]) for row in rows})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())  # its labels would be formulas, whose fonts a machine may lack
    figure.legend(loc="outside right upper", fontsize=9)
    figure.suptitle(_heading(report, name), x=0.01, ha="left")
    return figure


def _curves(report: Report, rows: Sequence[dict[str, Any]], name: str) -> Figure | None:
    """Validation accuracy against images seen, or against cost where all have the same.

    A panel for each level of the first factor, or one for all. None where every row has one point, which the bars show,
    or where there are too many rows to tell apart.
    """
    if max(len(row["curve"]) for row in rows) < 2:
        return None
    panels: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["curve"]:
            panels.setdefault(row["levels"][0] if row["levels"] else "", []).append(row)
    if any(len(group) > MOST_LINES for group in panels.values()):
        return None
    lines, by_cost = max(len(group) for group in panels.values()), report.get("is_equal_cost", False)
    figure = Figure(figsize=(9.5, max(3.6, 1.2 + 0.24 * lines) * len(panels)), layout="constrained")
    for axes, (level, group) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels.items(), strict=True):
        looks = list(itertools.product(LINE_STYLES, LINE_COLOURS))[: len(group)]
        for (style, colour), row in reversed(list(zip(looks, group, strict=True))):  # the first ones on top
            _draw_curve(axes, row, name, colour, style, by_cost)
        handles, labels = axes.get_legend_handles_labels()
        axes.set_title(f"{report['factors'][0]}: {level}" if level else "", loc="left", fontsize=10)
        axes.set_ylabel("accuracy (%)")
        axes.set_xlabel("PetaFLOP" if by_cost else "images seen in training (thousands)")
        axes.grid()
        axes.legend(
            handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, fontsize=9
        )
    figure.suptitle(_heading(report, name), x=0.01, ha="left")
    return figure


def _draw_curve(axes: Axes, row: Mapping[str, Any], name: str, colour: str, style: str, by_cost: bool) -> None:
    scale = row["train_petaflop"] / row["curve"][-1]["images"] if by_cost else 1 / 1000
    points = [(scale * epoch["images"], epoch[name]) for epoch in row["curve"] if epoch[name] is not None]
    axes.plot(
        *([images for images, _ in points], [100 * value for _, value in points]),
        color=colour, linestyle=style, marker="o", markersize=3.5, linewidth=1.6, label=_label(row["name"]),
    )  # fmt: skip
