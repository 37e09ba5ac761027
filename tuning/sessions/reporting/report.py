"""The report of a session: its trials, the best one, and the importance of the hyperparameters."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from models.reporting import report
from tuning.sessions.folder import hyperparameter_names, ranked
from tuning.sessions.session import Session
from tuning.sessions.trade_offs.front import front

OF_THIS_MACHINE = ("data_dir", "archive", "init_from")  # paths, which only best.json has
LEAST_TRIALS, TRIALS_A_HYPERPARAMETER = 8, 2  # that must have completed for an importance
NUM_TREES, NUM_SHUFFLES = 200, 20

Record = Mapping[str, Any]


def document(session: Session, command: str) -> dict[str, Any]:
    """The whole of `report.json`; `command` is what was typed."""
    records = session.folder.records()
    best, names = ranked(records), session.config.objective_names
    commits = dict.fromkeys(record["git_commit"] for record in best if record.get("git_commit"))
    return {
        "space": session.space.name,
        **{name: getattr(session.config, name) for name in ("tuner", "objective", "fine_weight")},
        "objectives": names,
        "max_epochs": session.config.max_epochs,
        "dataset": session.source.shown_name,
        "split": "validation",
        "fingerprints": (session.folder.identity() or {}).get("fingerprints"),
        "trials": [_without(record, "config") for record in records],  # which is in the trial's file
        "best": {**best[0], "config": _without(best[0]["config"], *OF_THIS_MACHINE)}
        if best and len(names) == 1
        else None,
        "front": [record["id"] for record in front(records, names)] if len(names) > 1 else None,
        "importance": importance(best),
        "retrained": session.folder.retrained(),
        "spent_s": session.folder.spent_s(),
        "spent_petaflop": session.folder.spent_petaflop(),
        "command": command,
        "versions": report.versions(),
        "git_commit": " and ".join(commits) or "unknown",
    }


def importance(completed: Sequence[Record]) -> dict[str, float] | None:
    """How much of the objective each hyperparameter explains, 0 to 1; the names of the most important first.

    By how much worse a random forest (Breiman 2001) predicts the objective where the hyperparameter's values are
    shuffled among the trials; None where fewer than LEAST_TRIALS, or than TRIALS_A_HYPERPARAMETER for each of them, are
    there to learn from: of ten trials of 15 hyperparameters one would seem to explain the most by chance.
    """
    names = hyperparameter_names(completed)
    if len(completed) < max(LEAST_TRIALS, TRIALS_A_HYPERPARAMETER * len(names)):
        return None
    values = np.array([_numbers(completed, name) for name in names]).T
    objective = np.array([record["objective"] for record in completed])
    if np.ptp(objective) == 0.0:
        return dict.fromkeys(names, 0.0)
    forest = RandomForestRegressor(NUM_TREES, random_state=0).fit(values, objective)
    importances = permutation_importance(forest, values, objective, n_repeats=NUM_SHUFFLES, random_state=0)
    losses = np.maximum(importances.importances_mean, 0.0)
    shares = losses / losses.sum() if losses.sum() else losses
    return {names[place]: round(float(shares[place]), 4) for place in np.argsort(-shares)}


def _without(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def _numbers(completed: Sequence[Record], name: str) -> list[float]:
    """A hyperparameter of all trials as numbers to split at: words by the order of their appearance.

    A trial without it gets the median of the others, so that the hyperparameter on which it depends explains the
    difference between having it and not.
    """
    values = [record["hyperparameters"].get(name) for record in completed]
    words = list(dict.fromkeys(value for value in values if value is not None))
    are_numbers = all(isinstance(value, int | float) for value in words)
    numbers = [None if value is None else float(value if are_numbers else words.index(value)) for value in values]
    median = statistics.median_low(number for number in numbers if number is not None)
    return [median if number is None else number for number in numbers]
