"""Charts of a model's calibration, as SVG text that the page embeds."""

from collections.abc import Mapping
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.reporting import plots

COLOURS = {"fine": "fine", "coarse": "coarse", "coarse_from_fine": "summed"}


def reliability(answers: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The accuracy of predictions over their confidence (Guo et al. 2017, figure 1), of answers in `calibration.json`.

    `names` has the label of each answer that is drawn. Bins without examples are left out.
    """

    def draw(axes: Axes) -> None:
        axes.set_xlabel("confidence (%)")
        axes.set_ylabel("accuracy (%)")
        axes.plot([0, 100], [0, 100], color=plots.COLOURS["grid"], linewidth=1.2)
        for answer, name in names.items():
            for when, style in (("before", "--"), ("after", "-")):
                if answers[answer][when] is None:
                    continue
                bins = np.array([values for values in answers[answer][when]["reliability"] if values[0]])
                label = f"{name}, {when} scaling"
                _line(axes, answer, 100 * bins[:, 1], 100 * bins[:, 2], label=label, linestyle=style)

    return _chart(draw, "Reliability diagram: accuracy by confidence")


def risk_coverage(answers: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The error of the most confident predictions over their share (El-Yaniv and Wiener 2010), as `reliability`."""

    def draw(axes: Axes) -> None:
        axes.set_xlabel("coverage: most confident predictions (%)")
        axes.set_ylabel("error (%)")
        for answer, name in names.items():
            measured = answers[answer]["after"] or answers[answer]["before"]
            coverage, risk = 100 * np.array(measured["risk_coverage"]).T
            _line(axes, answer, coverage, risk, label=name, marker="")
        axes.set_ylim(bottom=0)

    return _chart(draw, "Risk-coverage curve: error by coverage")


def _line(axes: Axes, answer: str, x: np.ndarray, y: np.ndarray, **options: Any) -> None:
    colour = COLOURS[answer]
    marker = {"marker": plots.MARKERS[colour], "markersize": 4}
    axes.plot(x, y, color=plots.COLOURS[colour], linewidth=1.8, **{**marker, **options})


def _chart(draw: Any, title: str) -> str:
    with matplotlib.style.context(["default", plots.STYLE]):  # without the user's matplotlibrc
        figure = Figure(figsize=plots.FIGURE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        figure.legend(loc="outside upper left", ncols=2)
        return plots.svg_element(figure, title)
