"""Optuna's tree-structured Parzen estimator (Bergstra et al. 2011; several objectives: Ozaki et al. 2022) as an oracle.

Each proposal has its own seed and follows from the trials that have begun and ended, not from a state: a replay takes
the proposals from the journal, and those that come after it are the same.
"""

from typing import Any

import optuna
from keras_tuner.engine import hyperparameters
from keras_tuner.engine.hyperparameters import HyperParameter
from keras_tuner.engine.trial import Trial
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import TrialState

from pipeline.common import errors
from tuning.sessions import journal
from tuning.sessions.oracles.oracle import COMPLETED, IDLE, OBJECTIVE, RUNNING, STOPPED, Oracle, synchronized
from tuning.sessions.trade_offs import objectives

LEAST_RANDOM = 3  # trials before the first one of the model; a third of all where that is more
HIGHEST = 1 - 1e-9  # place of which Keras Tuner makes a value in the range: its own are below 1

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Tpe(Oracle):
    """Maximizes the objective, or optimizes several of these names, separated by commas.

    Optuna gets numbers as places from 0 to 1 in their ranges, which Keras Tuner's sampling and steps define.
    """

    def __init__(self, names: str, **named: Any) -> None:
        super().__init__(**named)
        self._names = objectives.split(names)
        directions = [
            StudyDirection.MAXIMIZE if objectives.is_maximized(name) else StudyDirection.MINIMIZE
            for name in self._names or objectives.ACCURACIES[:1]
        ]
        self._study = optuna.create_study(directions=directions)
        self._numbers: dict[str, int] = {}  # of the study's trials, by the oracle's

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose by the model; a replay takes the proposal from the journal instead."""
        values = dict(self._replayed["values"]) if self._replayed is not None else self._proposed()
        if values is None:
            return {"status": IDLE if self.ongoing_trials else STOPPED}
        asked = self.space.hyperparameters(self.space.complete(values)).space  # in a replay the space may not know them
        self._study.enqueue_trial({one.name: _place(one, values[one.name]) for one in asked if one.name in values})
        self._numbers[trial_id] = self._ask()[0].number
        return {"status": RUNNING, "values": values}

    def _proposed(self) -> dict[str, Any] | None:
        """Values by the model, in place of those that a trial has had others; None where the space has no more."""
        num_random = max(LEAST_RANDOM, self.max_trials // 3)
        self._study.sampler = TPESampler(seed=self.seed + len(self.trials), n_startup_trials=num_random)
        draft, values = self._ask()
        self._study.tell(draft, state=TrialState.FAIL)  # the trial itself is another, also in a replay
        return self._values_of_duplicate() if self._duplicate(values) else values

    def _ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """The study's next trial, and the values of the hyperparameters that the space asks for at its places."""
        trial = self._study.ask()
        return trial, self.space.ask(lambda one: _value(trial, one))

    @synchronized
    def end_trial(self, trial: Trial) -> None:
        """End a trial, in the study too."""
        super().end_trial(trial)
        number, several = self._numbers[trial.trial_id], self._objectives.get(trial.trial_id, {})
        if trial.status == COMPLETED and (missing := [name for name in self._names if name not in several]):
            problem = f"the line that ends trial {trial.trial_id} lacks {', '.join(missing)}"
            raise errors.DamagedError(f"{self.journal.where}: {problem}; {journal.REMEDY}")
        if trial.status != COMPLETED:
            self._study.tell(number, state=TrialState.FAIL)
        elif self._names:
            self._study.tell(number, [several[name] for name in self._names])
        else:
            self._study.tell(number, trial.metrics.get_best_value(OBJECTIVE))


def _is_number(one: HyperParameter) -> bool:
    return isinstance(one, hyperparameters.Int | hyperparameters.Float)


def _value(trial: optuna.Trial, one: HyperParameter) -> Any:
    """A hyperparameter's value at its place in a trial of the study."""
    if _is_number(one):
        return one.prob_to_value(min(trial.suggest_float(one.name, 0.0, 1.0), HIGHEST))
    return trial.suggest_categorical(one.name, list(dict.fromkeys(one.values)))


def _place(one: HyperParameter, value: Any) -> Any:
    """The place of a value."""
    return one.value_to_prob(value) if _is_number(one) else value
