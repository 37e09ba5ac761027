"""Keras Tuner's search algorithms and Optuna's, over a journal and conditional spaces."""

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.hyperparameters import HyperParameter
from keras_tuner.oracles import BayesianOptimizationOracle, RandomSearchOracle
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from tuning.sessions.config import SessionConfig
from tuning.sessions.journal import Journal
from tuning.sessions.oracles.conditional_space import ConditionalSpace
from tuning.sessions.oracles.hyperband import Hyperband
from tuning.sessions.oracles.oracle import COMPLETED, IDLE, OBJECTIVE, RUNNING, STOPPED, Oracle

_BAYESIAN_STARTS = 50  # points from which Keras Tuner maximizes its model of the objective


class _Random(Oracle, RandomSearchOracle):
    pass


class _Grid(Oracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose the combination that follows the one proposed last, whether or not that trial has ended."""
        if self.start_order:
            values = self.space.following(self.trials[self.start_order[-1]].hyperparameters.values)
        else:
            values = self.space.defaults
        if values is not None:
            return {"status": RUNNING, "values": values}
        self.is_exhausted = True
        return {"status": IDLE if self.ongoing_trials else STOPPED}


class _Hyperband(Oracle, Hyperband):
    pass


class _Bayesian(Oracle, BayesianOptimizationOracle):
    gpr: Any  # the model of the objective

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose by the model of the objective; a replay takes the proposal from the journal instead."""
        num_completed = sum(trial.status == COMPLETED for trial in self.trials.values())
        if num_completed < self.num_initial_points:
            return super().populate_space(trial_id)
        if self._replayed is not None:
            # The draws that the model's search would have made.
            self._random_state.uniform(size=(_BAYESIAN_STARTS, len(self._nonfixed_space())))
            return {"status": RUNNING, "values": dict(self._replayed["values"])}
        if getattr(self.gpr, "n_features_in_", None) != len(self._nonfixed_space()):
            self.gpr = self._make_gpr()  # a hyperparameter was added since it was fitted
        # Threads would wait for one another for longer than the products of these small matrices take.
        with warnings.catch_warnings(), threadpool_limits(1, "blas"):
            warnings.simplefilter("ignore", ConvergenceWarning)  # normal with few points
            proposed = super().populate_space(trial_id)
        if self._duplicate(proposed["values"]):  # whose training would tell nothing new
            values = self._values_of_duplicate()
            return {"status": STOPPED} if values is None else {"status": RUNNING, "values": values}
        return proposed

    def _vector_to_values(self, vector: Sequence[float]) -> dict[str, Any]:
        """The values at a point of the unit cube, which has a dimension for every known hyperparameter."""
        places = {one.name: place for place, one in enumerate(self._nonfixed_space())}

        def value(one: HyperParameter) -> Any:
            return one.prob_to_value(vector[places[one.name]]) if one.name in places else one.default

        return self.space.ask(value)


def build(
    config: SessionConfig,
    space: ConditionalSpace,
    journal: Journal,
    spent_s: Callable[[], float] = lambda: 0.0,
) -> Oracle:
    """An oracle that maximizes the objective, in the state that the journal of a session of the same kind describes.

    `spent_s` returns the seconds that the session has taken. Hyperband repeats its brackets where minutes or petaflop
    end a search.
    """
    hyperparameters = space.hyperparameters()
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": hyperparameters,
        "seed": config.seed + 1,  # Keras Tuner takes 0 for none
        # Keras Tuner counts failures in a row and raises with its lock held; the session counts its own.
        "max_consecutive_failed_trials": sys.maxsize,
    }
    oracle: Oracle
    if config.tuner == "hyperband":
        oracle = _Hyperband(max_epochs=config.max_epochs, hyperband_iterations=None, **common)  # None: no limit
    elif config.tuner == "bayesian":
        num_random = min(max(3, config.max_trials // 3), 3 * len(hyperparameters.space))
        oracle = _Bayesian(max_trials=config.max_trials, num_initial_points=num_random, **common)
    elif config.tuner == "optuna":
        from tuning.sessions.oracles.tpe import Tpe  # of an extra

        oracle = Tpe(config.objectives, max_trials=config.max_trials, **common)
    else:
        oracle = {"random": _Random, "grid": _Grid}[config.tuner](max_trials=config.max_trials, **common)
    oracle.verbose, oracle.space, oracle.journal, oracle.spent_s = 0, space, journal, spent_s
    oracle.replay()
    if isinstance(oracle, _Hyperband) and not (config.max_minutes or config.max_petaflop):
        oracle.hyperband_iterations = 1  # not before the replay: calls with a limit may have begun more
    return oracle
