"""The scores of a trial: the accuracies in its run's report, the objective computed from them, and its costs."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from pipeline.common import errors
from tuning.sessions.config import SessionConfig
from tuning.sessions.trade_offs import objectives


def objective(config: SessionConfig, report: Mapping[str, Any]) -> float:
    """The value that the session maximizes, 0 to 1, from a run's report on validation.

    Raises:
      errors.FailedError: the run lacks an accuracy of the objective, or was not evaluated on validation.
    """
    if report["split"] != "validation":
        raise errors.FailedError(f"split={report['split']}: expected validation")
    weights = {"fine": {"fine": 1.0}, "coarse": {"coarse": 1.0}}.get(
        config.objective, {"fine": config.fine_weight, "coarse": 1.0 - config.fine_weight}
    )
    known = {name: value for name, value in accuracies(report).items() if value is not None}
    if not weights.keys() <= known.keys():
        raise errors.FailedError(
            f"objective={config.objective}: the network has only the {' and '.join(known)} accuracy"
        )
    return math.fsum(weight * known[name] for name, weight in weights.items())


def several_objectives(config: SessionConfig, outcome: Mapping[str, Any], batch_size: int) -> dict[str, float]:
    """The values of `config.objectives` by name, from the outcome of a training; empty where there is one objective.

    Raises:
      errors.FailedError: as of `objective`.
    """
    return {
        name: objective(dataclasses.replace(config, objectives="", objective=name), outcome["report"])
        if objectives.is_maximized(name)
        else objectives.COSTS[name].value(outcome, batch_size)
        for name in objectives.split(config.objectives)
    }


def accuracies(report: Mapping[str, Any]) -> dict[str, float | None]:
    """The fine and the coarse accuracy of a run, 0 to 1; None for one that its model or its data set lacks."""
    key = {"head": "coarse_accuracy", "summed": "coarse_from_fine_accuracy"}.get(report["coarse_source"])
    return {"fine": report["fine_accuracy"], "coarse": report[key] if key else None}
