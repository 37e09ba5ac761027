"""Learning curves: rows of `metrics.jsonl` -> SVG text that the page embeds.

Validation is a solid line and training a dashed one, and each quantity has its own marker, so that color is never the
only difference. Every color is written as `var(--NAME, COLOUR)`, for which a page may set --NAME, for dark mode. The
same rows give the same bytes.
"""

import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.reporting import plot_style
from models.reporting.plot_style import BLUE, GREEN, GRID, VERMILION

Rows = list[dict[str, Any]]
Curves = Mapping[str, Sequence[tuple[float, float]]]

COLOURS = {"fine": BLUE, "coarse": VERMILION, "summed": GREEN, "total": "#aa4499", "ink": "#4a5361", "grid": GRID}
MARKERS = {"fine": "o", "coarse": "s", "summed": "^", "total": "D"}
RUN_COLOURS = (BLUE, VERMILION, GREEN, "#aa4499", "#ddaa33", "#33bbee", "#882255", "#667788")
RUN_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_MARKED_EPOCHS = 30  # with more, markers run into each other

FIGURE_INCHES = (4.9, 3.6)
STYLE = {
    **plot_style.STYLE,
    "svg.fonttype": "none",  # text stays text: searchable, read aloud, in the page's font
    "svg.hashsalt": "streaming-cifar100",  # otherwise identifiers are random
    "font.size": 10.5,
    "legend.fontsize": 9.5,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), COLOURS["ink"]),
    "axes.grid": True,
    "text.parse_math": False,  # a label may have dollar signs
}
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


@dataclasses.dataclass(frozen=True)
class Chart:
    """Quantities over the epochs, by their keys in the rows; multiplied by `scale` they are in `unit`."""

    name: str
    note: str
    unit: str
    keys: tuple[str, ...]
    scale: float = 1
    from_zero: bool = False


CHARTS = (
    Chart(
        "Accuracy",
        "single view; training: mean over the epoch, validation: after the epoch",
        "accuracy (%)",
        (
            "validation_fine_accuracy",
            "validation_coarse_accuracy",
            "validation_coarse_from_fine_accuracy",
            "train_fine_accuracy",
            "train_coarse_accuracy",
        ),
        scale=100,
        from_zero=True,
    ),
    Chart(
        "Cross-entropy",
        "of each head, without label smoothing",
        "cross-entropy (nats)",
        ("validation_fine_loss", "validation_coarse_loss", "train_fine_loss", "train_coarse_loss"),
    ),
    Chart(
        "Objective",
        "the loss that training minimizes, with label smoothing and loss weights",
        "objective (nats)",
        ("validation_loss", "train_loss"),
    ),
    Chart(
        "Learning rate",
        "of each step, if a schedule sets it, and of each epoch's last step",
        "learning rate",
        ("learning_rate",),
        from_zero=True,
    ),
    Chart("Throughput", "of training, mean over the epoch", "images/s", ("examples_per_second",), from_zero=True),
    Chart("Memory", "resident in the process, after the epoch", "MiB", ("rss_mib",), from_zero=True),
)
LABELS = {"learning_rate": "at the epoch's end", "examples_per_second": "training", "rss_mib": "resident"}


def has_values(chart: Chart, rows: Rows) -> bool:
    """Whether any row has a quantity of the chart; rows of earlier versions lack some."""
    return any(row.get(key) is not None for row in rows for key in chart.keys)


def draw(chart: Chart, rows: Rows, curves: Curves | None = None, *, has_coarse: bool = True) -> str:
    """A chart of at least one row as an SVG element; quantities that no row has are left out.

    `curves` has (epoch, value) points of quantities that rows are too far apart to show, such as `learning_rate`; the
    rows are then markers on the curve. `has_coarse` is whether the data set has two levels of labels.
    """
    labels = {
        key: _label(key if has_coarse else key.replace("_fine_", "_"))
        for key in chart.keys
        if any(row.get(key) is not None for row in rows)
    }
    with matplotlib.style.context(["default", STYLE]):  # without the user's matplotlibrc
        figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
        axes = figure.add_subplot(xlabel="epoch", ylabel=chart.unit)
        for key, label in labels.items():
            present = [row for row in rows if row.get(key) is not None]
            colour = _colour(key)
            curve = (curves or {}).get(key)
            if curve:
                axes.plot(*zip(*curve, strict=True), color=COLOURS[colour], linewidth=1.8, label="of each step")
                if len(rows) > MOST_MARKED_EPOCHS:
                    continue
            axes.plot(
                [row["epoch"] for row in present],
                [row[key] * chart.scale for row in present],
                label=label,
                color=COLOURS[colour],
                linestyle="" if curve else "--" if key.startswith("train_") else "-",
                linewidth=1.8,
                marker=MARKERS[colour] if len(rows) <= MOST_MARKED_EPOCHS else "",
                markersize=5,
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        first, last = 0 if any(map((curves or {}).get, chart.keys)) else rows[0]["epoch"], rows[-1]["epoch"]
        margin = max(0.02 * (last - first), 0.25)  # a single epoch needs a width too
        axes.set_xlim(first - margin, last + margin)
        if chart.from_zero:
            axes.set_ylim(0, 1.03 * axes.get_ylim()[1])  # room above a line that is nearly level
        figure.legend(loc="outside upper left", ncols=2)
        return svg_element(figure, f"{chart.unit} by epoch: {'; '.join(labels.values())}")


def compared(rows_by_run: Mapping[str, Rows], *, has_coarse: bool) -> list[tuple[str, str, str]]:
    """The name, the note and the SVG element of charts of several runs' accuracies, a line each.

    `has_coarse` is whether the data set has two levels of labels.
    """
    charts = []
    for level in ("fine", "coarse"):
        key = f"validation_{level}_accuracy"
        lines = {name: [row for row in rows if row[key] is not None] for name, rows in rows_by_run.items()}
        for x_key, label, scale in (("epoch", "epoch", 1.0), ("train_seconds", "training time (min)", 60.0)):
            if not any(lines.values()):
                continue
            with matplotlib.style.context(["default", STYLE]):  # without the user's matplotlibrc
                figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
                axes = figure.add_subplot(xlabel=label, ylabel="accuracy (%)")
                for (name, rows), colour, marker in zip(lines.items(), RUN_COLOURS, RUN_MARKERS, strict=False):
                    x, y = [row[x_key] / scale for row in rows], [100 * row[key] for row in rows]
                    mark = marker if len(rows) <= MOST_MARKED_EPOCHS else ""
                    axes.plot(x, y, label=name, color=colour, linewidth=1.8, marker=mark, markersize=5)
                axes.set_ylim(bottom=0)
                figure.legend(loc="outside upper left", ncols=2)
                name = f"Accuracy, {level}" if has_coarse else "Accuracy"
                svg = svg_element(figure, f"{name}, on validation, by {label}")
                charts.append((name, f"validation, by {label}", svg))
    return charts


def class_counts(counts: Mapping[str, Sequence[int]]) -> str:
    """The numbers of training examples of the classes of each level, in descending order, as an SVG element."""
    with matplotlib.style.context(["default", STYLE]):  # without the user's matplotlibrc
        figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
        axes = figure.add_subplot(xlabel="class, by its number of examples", ylabel="examples")
        for level, values in counts.items():
            places = range(1, len(values) + 1)
            label = level if len(counts) > 1 else "classes"
            axes.plot(places, sorted(values, reverse=True), color=COLOURS[level], linewidth=1.8, label=label)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        figure.legend(loc="outside upper left", ncols=2)
        return svg_element(figure, "Training examples per class")


def _label(key: str) -> str:
    """Such as `validation, coarse from fine` of `validation_coarse_from_fine_accuracy`."""
    if key in LABELS:
        return LABELS[key]
    split, *head, _ = key.replace("train_", "training_").split("_")
    if head == ["coarse"] and key.endswith("accuracy"):
        head = ["coarse", "head"]
    return ", ".join(filter(None, (split, " ".join(head))))


def _colour(key: str) -> str:
    parts = {"from_fine": "summed", "fine": "fine", "coarse": "coarse"}
    return next((colour for part, colour in parts.items() if part in key), "total")


def svg_element(figure: Figure, title: str) -> str:
    """A figure, drawn under STYLE, as an SVG element of a page; the title is its name for screen readers.

    The page may set its colors; it has no identifiers that clash, and no date.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True)
    svg = file.getvalue()
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name}, {colour})")
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(svg)
    for metadata in root.findall(f"{{{SVG}}}metadata"):  # which holds the date
        root.remove(metadata)
    for group in root.iter(f"{{{SVG}}}g"):
        group.attrib.pop("id", None)  # the charts of a page would share identifiers such as `axes_1`
    root.set("role", "img")
    root.set("aria-label", title)
    return ElementTree.tostring(root, encoding="unicode")
