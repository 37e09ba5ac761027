"""Learning curves: rows of `metrics.jsonl` -> SVG text that the page embeds.

Validation is a solid line and training a dashed one, and each quantity has its own marker, so that colour is never the
only difference. Every colour is written as `var(--NAME, COLOUR)`, for which a page may set --NAME, for dark mode. The
same rows give the same bytes.
"""

import dataclasses
import io
from typing import Any
from xml.etree import ElementTree

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.reporting import plot_style
from models.reporting.plot_style import BLUE, GREEN, GRID, VERMILION

Rows = list[dict[str, Any]]

COLOURS = {"fine": BLUE, "coarse": VERMILION, "summed": GREEN, "total": "#aa4499", "ink": "#4a5361", "grid": GRID}
MARKERS = {"fine": "o", "coarse": "s", "summed": "^", "total": "D"}
MOST_MARKED_EPOCHS = 30  # with more, markers run into each other

STYLE = {
    **plot_style.STYLE,
    "svg.fonttype": "none",  # text stays text: searchable, read aloud, in the page's font
    "svg.hashsalt": "streaming-cifar100",  # otherwise identifiers are random
    "font.size": 10.5,
    "legend.fontsize": 9.5,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), COLOURS["ink"]),
    "axes.grid": True,
}
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


@dataclasses.dataclass(frozen=True)
class Line:
    """One quantity over the epochs; `colour` names one of COLOURS."""

    key: str
    label: str
    colour: str


def accuracy(rows: Rows) -> str:
    """The chart of fine and coarse accuracy in per cent, validation and training."""
    lines = (
        Line("validation_fine_accuracy", "validation, fine", "fine"),
        Line("validation_coarse_accuracy", "validation, coarse", "coarse"),
        Line("validation_coarse_from_fine_accuracy", "validation, coarse from fine", "summed"),
        Line("train_fine_accuracy", "training, fine", "fine"),
        Line("train_coarse_accuracy", "training, coarse", "coarse"),
    )
    return _chart(rows, lines, "accuracy (%)", scale=100, from_zero=True)


def cross_entropy(rows: Rows) -> str:
    """The chart of each head's cross-entropy without label smoothing, validation and training."""
    lines = (
        Line("validation_fine_loss", "validation, fine", "fine"),
        Line("validation_coarse_loss", "validation, coarse", "coarse"),
        Line("train_fine_loss", "training, fine", "fine"),
        Line("train_coarse_loss", "training, coarse", "coarse"),
    )
    return _chart(rows, lines, "cross-entropy (nats)")


def objective(rows: Rows) -> str:
    """The chart of the training objective: the weighted sum of the heads' smoothed losses."""
    lines = (Line("validation_loss", "validation", "total"), Line("train_loss", "training", "total"))
    return _chart(rows, lines, "objective (nats)")


def learning_rate(rows: Rows) -> str:
    """The chart of the learning rate of each epoch's last step."""
    return _chart(rows, (Line("learning_rate", "at the epoch's end", "total"),), "learning rate", from_zero=True)


def _chart(rows: Rows, lines: tuple[Line, ...], unit: str, *, scale: float = 1, from_zero: bool = False) -> str:
    measured = [line for line in lines if any(row[line.key] is not None for row in rows)]
    with matplotlib.style.context(["default", STYLE]):  # without the user's matplotlibrc
        figure = Figure(figsize=(4.9, 3.6), layout="constrained")
        axes = figure.add_subplot(xlabel="epoch", ylabel=unit)
        for line in measured:
            _draw(axes, rows, line, scale)
        _limit(axes, rows, from_zero)
        figure.legend(loc="outside upper left", ncols=2)
        return svg_element(figure, f"{unit} by epoch: {'; '.join(line.label for line in measured)}")


def _draw(axes: Axes, rows: Rows, line: Line, scale: float) -> None:
    present = [row for row in rows if row[line.key] is not None]
    axes.plot(
        [row["epoch"] for row in present],
        [row[line.key] * scale for row in present],
        label=line.label,
        color=COLOURS[line.colour],
        linestyle="--" if line.key.startswith("train_") else "-",
        linewidth=1.8,
        marker=MARKERS[line.colour] if len(rows) <= MOST_MARKED_EPOCHS else "",
        markersize=5,
    )


def _limit(axes: Axes, rows: Rows, from_zero: bool) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    first, last = rows[0]["epoch"], rows[-1]["epoch"]
    margin = max(0.02 * (last - first), 0.25)  # a single epoch needs a width too
    axes.set_xlim(first - margin, last + margin)
    if from_zero:
        axes.set_ylim(bottom=0)


def svg_element(figure: Figure, title: str) -> str:
    """A figure as an SVG element of a page: colours that the page may set, no identifiers that clash, no date.

    Args:
      figure: drawn under STYLE, which is in force.
      title: the picture's name for screen readers.
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
