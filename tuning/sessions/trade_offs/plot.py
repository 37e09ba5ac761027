"""The plot of several objectives: all trials, and those on the Pareto front."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.reporting.plot_style import BLUE, ORANGE
from tuning.sessions.trade_offs import objectives
from tuning.sessions.trade_offs.front import Record


def figure(trials: Sequence[Record], front: Sequence[Record], names: Sequence[str]) -> Figure:
    """The first objective over each other one; of two the front's line shows the best that a limit of one allows."""
    first, *others = names
    drawn = Figure(figsize=(max(6.0, 4.6 * len(others)), 4.4), layout="constrained")
    for axes, name in zip(drawn.subplots(1, len(others), sharey=True, squeeze=False)[0], others, strict=True):
        axes.plot(*_points(trials, name, first), "o", color=BLUE, markersize=5.5, label="one trial")
        along = sorted(front, key=lambda trial: trial["objectives"][name])
        line = {"linestyle": "-" if len(others) == 1 else ""}  # of three, no line in two dimensions bounds the rest
        line["drawstyle"] = "steps-pre" if objectives.is_maximized(name) else "steps-post"
        axes.plot(*_points(along, name, first), marker="D", color=ORANGE, markersize=7, label="Pareto front", **line)
        _name_trials(axes, front, name, first)
        axes.set_xlabel(objectives.axis(name))
        axes.margins(0.1)
        axes.grid()
    drawn.axes[0].set_ylabel(objectives.axis(first))
    drawn.legend(*drawn.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return drawn


def _points(trials: Sequence[Record], *names: str) -> list[list[float]]:
    """The values of each objective in turn."""
    return [[objectives.shown(name, trial["objectives"][name]) for trial in trials] for name in names]


def _name_trials(axes: Axes, front: Sequence[Record], *names: str) -> None:
    """The numbers of the front's trials, those at one point together."""
    numbers: dict[tuple[float, float], list[str]] = {}
    for trial, x, y in zip(front, *_points(front, *names), strict=True):
        numbers.setdefault((x, y), []).append(trial["id"])
    for place, ids in numbers.items():
        axes.annotate(", ".join(ids), place, xytext=(5, 6), textcoords="offset points", fontsize=8.5)
