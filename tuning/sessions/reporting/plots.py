"""The plots of a session's report: objective over trials, parallel coordinates, importance, Hyperband's brackets."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.reporting.plot_style import BLUE, GREY, INK, ORANGE, ROW_INCHES, STYLE, VERMILION, save_figures
from tuning.sessions.folder import COMPLETED, hyperparameter_names, ranked
from tuning.sessions.reporting import page
from tuning.sessions.trade_offs import plot

Report = Mapping[str, Any]
MOST_VALUES = 8  # of a hyperparameter that are each written at its axis; of more, the ends
ABSENT_HEIGHT = -0.15  # below the values of an axis, of trials without the hyperparameter


def draw(report: Report, folder: pathlib.Path) -> list[pathlib.Path]:
    """Plot a session's report as PNG files in an existing folder and return their paths."""
    completed = ranked(report["trials"])
    if not completed:
        return []
    with matplotlib.style.context(["default", STYLE]):  # not the user's own matplotlibrc
        has_brackets = "tuner/bracket" in completed[0]["hyperparameters"]
        return save_figures(
            {
                "trade_offs": _trade_offs(report, completed) if page.several(report) else None,
                "objective": _objective(report),
                "parallel_coordinates": _parallel(report, completed),
                "importance": _importance(report) if report["importance"] else None,
                "brackets": _brackets(report) if has_brackets else None,
            },
            folder,
        )


def _heading(report: Report, what: str) -> str:
    return f"{what}: space {report['space']}, {report['tuner']}, {report['dataset']}"


def _trade_offs(report: Report, completed: Sequence[Mapping[str, Any]]) -> Figure:
    figure = plot.figure(completed, page.front(report), page.several(report))
    figure.suptitle(_heading(report, "Pareto front"), x=0.01, ha="left", fontsize=10.5)
    return figure


def _objective(report: Report) -> Figure:
    """Each trial's objective in their order, failed ones at the bottom, and the best so far."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="trial", ylabel="objective on validation (%)")
    trials = list(enumerate(report["trials"], start=1))
    completed = [(number, 100 * trial["objective"]) for number, trial in trials if trial["status"] == COMPLETED]
    best = [max(value for _, value in completed[: place + 1]) for place in range(len(completed))]
    axes.step([number for number, _ in completed], best, where="post", color=ORANGE, linewidth=1.8, label="best so far")
    axes.plot(*zip(*completed, strict=True), "o", color=BLUE, markersize=5.5, label="one trial")
    failed = [number for number, trial in trials if trial["status"] != COMPLETED]
    if failed:
        lowest = min(value for _, value in completed)
        axes.plot(failed, [lowest] * len(failed), "x", color=VERMILION, label="failed")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid()
    figure.legend(loc="outside lower center", ncols=3)  # no corner is free of trials for sure
    figure.suptitle(_heading(report, "Objective over the trials"), x=0.01, ha="left", fontsize=10.5)
    return figure


def _parallel(report: Report, completed: Sequence[Mapping[str, Any]]) -> Figure:
    """A line a trial through its values of every hyperparameter; the better, the darker; the best or front in orange.

    Below the values of a conditional hyperparameter run the trials that do not have it.
    """
    names = hyperparameter_names(completed)
    figure = Figure(figsize=(max(8.0, 1.25 * (len(names) + 1)), 5.2), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[:].set_visible(False)
    objectives = [100 * trial["objective"] for trial in completed]
    shade = ScalarMappable(Normalize(min(objectives), max(objectives)), "cividis_r")
    several = page.several(report)
    chosen = report["front"] if several else [completed[0]["id"]]
    places = {name: _places([trial["hyperparameters"].get(name) for trial in completed]) for name in names}
    for trial in reversed(completed):  # the best ones on top
        heights = [places[name][trial["hyperparameters"].get(name)] for name in names]
        is_best = trial["id"] in chosen
        axes.plot(
            range(len(names)),
            heights,
            color=ORANGE if is_best else shade.to_rgba(100 * trial["objective"]),
            linewidth=3.0 if is_best else 1.2,
            alpha=1.0 if is_best else 0.75,
        )
    for number, name in enumerate(names):
        _draw_axis(axes, number, places[name])
    axes.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names], fontsize=8.5)
    axes.set_yticks([])
    axes.set_xlim(-0.4, len(names) - 0.4)
    axes.tick_params(length=0)
    figure.colorbar(shade, ax=axes, label="objective (%)", pad=0.01)
    title = f"Hyperparameters, the {'Pareto front' if several else 'best trial'} in orange"
    figure.suptitle(_heading(report, title), x=0.01, ha="left", fontsize=10.5)
    return figure


def _places(values: Sequence[Any]) -> dict[Any, float]:
    """Each value's height, 0 to 1: evenly, in the order of numbers or of appearance; None's is below."""
    different = list(dict.fromkeys(value for value in values if value is not None))
    if all(isinstance(value, int | float) for value in different):
        different.sort()
    heights = {value: number / max(1, len(different) - 1) for number, value in enumerate(different)}
    return {**heights, None: ABSENT_HEIGHT} if None in values else heights


def _draw_axis(axes: Axes, number: int, places: Mapping[Any, float]) -> None:
    axes.axvline(number, color=GREY, linewidth=0.8, zorder=0)
    shown = [value for value in places if value is not None]
    if len(shown) > MOST_VALUES:
        shown = [shown[0], shown[-1]]
    for value, height in places.items():
        if value is not None and value not in shown:
            continue
        words = "absent" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
        axes.text(number + 0.03, height, words, va="center", fontsize=8, color=INK, bbox=box)


def _importance(report: Report) -> Figure:
    shares = dict(reversed(report["importance"].items()))
    figure = Figure(figsize=(7.5, 1.4 + ROW_INCHES * len(shares)), layout="constrained")
    axes = figure.add_subplot(xlabel="share of what a random forest learns of the objective (%)")
    axes.barh(list(shares), [100 * share for share in shares.values()], color=BLUE, height=0.62)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    figure.suptitle(_heading(report, "Importance of the hyperparameters"), x=0.01, ha="left", fontsize=10.5)
    return figure


def _brackets(report: Report) -> Figure:
    """Hyperband's brackets side by side: each rung's trials at its epochs, lines to what they were continued as."""
    completed = [trial for trial in report["trials"] if trial["status"] == COMPLETED]
    brackets = sorted({trial["hyperparameters"]["tuner/bracket"] for trial in completed}, reverse=True)
    figure = Figure(figsize=(max(5.0, 3.6 * len(brackets)), 4.4), layout="constrained")
    by_id = {trial["id"]: trial for trial in completed}
    for axes, bracket in zip(figure.subplots(1, len(brackets), sharey=True, squeeze=False)[0], brackets, strict=True):
        for trial in completed:
            values = trial["hyperparameters"]
            if values["tuner/bracket"] != bracket:
                continue
            axes.plot(values["tuner/epochs"], 100 * trial["objective"], "o", color=BLUE, markersize=5.5)
            past = by_id.get(values.get("tuner/trial_id", ""))
            if past is not None:
                ends = (past["hyperparameters"]["tuner/epochs"], values["tuner/epochs"])
                axes.plot(ends, (100 * past["objective"], 100 * trial["objective"]), color=GREY, linewidth=1)
        axes.set_title(f"bracket {bracket}", loc="left", fontsize=10)
        axes.set_xlabel("epochs of the rung")
        rungs = {trial["hyperparameters"]["tuner/epochs"] for trial in completed}
        axes.set_xticks(sorted(rungs))
        axes.set_xlim(min(rungs) - 0.5, max(rungs) + 0.5)
        axes.grid()
    figure.axes[0].set_ylabel("objective on validation (%)")
    figure.suptitle(_heading(report, "Hyperband's brackets"), x=0.01, ha="left", fontsize=10.5)
    return figure
