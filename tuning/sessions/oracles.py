"""Keras Tuner's search algorithms with a journal in place of its files, so that any end of a process is survived.

Keras Tuner writes its state in place into several JSON files, which a kill leaves torn. Here the journal gets one
durable line when a trial begins and one when it ends. A session that continues replays the journal to a new oracle of
the same seed, whose state then equals the old one's, random generators included.

This module alone uses private parts of Keras Tuner, and checks that its version is one that they were tested with.
"""

import functools
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle, GridSearchOracle, HyperbandOracle, RandomSearchOracle
from sklearn.exceptions import ConvergenceWarning

from pipeline.common import errors
from tuning.sessions.jobs import SessionConfig
from tuning.sessions.journal import Journal

SUPPORTED = ((1, 4, 8), (1, 5))  # Keras Tuner from the first version, below the second


def check_version(version: str) -> None:
    """Check that Keras Tuner is of a version whose private parts are as this module expects, or fail."""
    first, end = SUPPORTED
    if not first <= tuple(int(part) for part in version.split(".")[:3] if part.isdecimal()) < end:
        expected = f">={'.'.join(map(str, first))},<{'.'.join(map(str, end))}"
        raise errors.FailedError(
            f"keras-tuner {version}: expected {expected}, whose private parts tuning.tune uses; "
            f"pip install 'keras-tuner{expected}', or run tests/tuning/sessions/test_oracles.py with this one and "
            "change SUPPORTED in tuning/sessions/oracles.py"
        )


check_version(keras_tuner.__version__)
from keras_tuner.src import protos  # noqa: E402, F401  # imported by chief
from keras_tuner.src.distribute.oracle_chief import OracleServicer  # noqa: E402, F401  # imported by chief
from keras_tuner.src.engine.oracle import LOCKS, THREADS  # noqa: E402

OBJECTIVE = "objective"
RUNNING, IDLE, STOPPED = TrialStatus.RUNNING, TrialStatus.IDLE, TrialStatus.STOPPED
COMPLETED, FAILED = TrialStatus.COMPLETED, TrialStatus.FAILED
PROBE_TUNER_ID = "nobody"  # asks whether a trial is left, and gives it back
_BAYESIAN_STARTS = 50  # points from which Keras Tuner maximises its model of the objective
_NO_LIMIT = 10**9  # Keras Tuner counts failures in a row and raises with its lock held; the session counts its own


def _synchronized(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let one thread at a time into the oracle, and release Keras Tuner's own lock whatever the method raises."""

    @functools.wraps(method)
    def synchronized(self: "Oracle", *arguments: Any) -> Any:
        with self._lock:
            try:
                return method(self, *arguments)
            finally:
                if LOCKS[self].locked():  # by this thread: the others wait for self._lock
                    THREADS[self] = None
                    LOCKS[self].release()

    return synchronized


class Oracle(keras_tuner.Oracle):
    """Base of the oracles: without Keras Tuner's files, with the journal and its replay."""

    journal: Journal
    ongoing_trials: dict[str, Trial]  # by worker
    tuner_ids: set[str]  # workers that have not yet been told that the search is over
    _retry_queue: list[str]
    _seed_state: int
    spent_s: Callable[[], float] = staticmethod(lambda: 0.0)  # seconds that the session has taken so far
    _replayed: Mapping[str, Any] | None = None  # the event under replay

    def save(self) -> None:
        """Do nothing: the journal is the state."""

    def _save_trial(self, trial: Trial) -> None:
        """Do nothing: the journal is the state."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lock = threading.RLock()  # Keras Tuner's own lock stays held after an exception

    @_synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """The trial that a worker is to run: the one that it has not ended, or a new one."""
        is_known, seed_state = tuner_id in self.ongoing_trials, self._seed_state
        trial = super().create_trial(tuner_id)
        if trial.status != RUNNING:
            self._seed_state = seed_state  # a call that led to no trial is not in the journal
        elif not is_known:
            values = trial.hyperparameters.values
            self._keep({"event": "begin", "worker": tuner_id, "trial": trial.trial_id, "values": values})
        return trial

    @_synchronized
    def end_trial(self, trial: Trial) -> None:
        """End a trial, COMPLETED with the objective that `update_trial` got, or FAILED."""
        known = self.trials[trial.trial_id]
        objective = known.metrics.get_best_value(OBJECTIVE) if trial.status == COMPLETED else None
        self._keep({"event": "end", "trial": trial.trial_id, "status": trial.status, "objective": objective})
        super().end_trial(trial)

    @_synchronized
    def finish(self, trial: Trial, record: Mapping[str, Any]) -> None:
        """End a trial with its record: `status`, and `objective` where it completed.

        A trial that has ended already, by a worker that had timed out, is only taken from the workers that have it.
        """
        if self.trials[trial.trial_id].status in (COMPLETED, FAILED):
            self.forget(trial.trial_id)
            return
        if record["status"] == COMPLETED:
            self.update_trial(trial.trial_id, {OBJECTIVE: record["objective"]})
        trial.status = record["status"]
        self.end_trial(trial)

    @_synchronized
    def requeue(self, workers: Sequence[str] | None = None) -> None:
        """Give the trials of these workers, or of all, to the workers that ask next."""
        gone = sorted(self.ongoing_trials.keys() & (self.ongoing_trials if workers is None else set(workers)))
        if not gone:
            return
        self._keep({"event": "requeue", "workers": gone})
        for name in gone:
            self._retry_queue.append(self.ongoing_trials.pop(name).trial_id)
            self.tuner_ids.discard(name)

    @_synchronized
    def forget(self, trial_id: str) -> None:
        """Remove a trial that has ended from the workers and the queue that still have it."""
        have = sorted(name for name, trial in self.ongoing_trials.items() if trial.trial_id == trial_id)
        if not have and trial_id not in self._retry_queue:
            return
        self._keep({"event": "forget", "trial": trial_id})
        for name in have:
            del self.ongoing_trials[name]
        self._retry_queue = [other for other in self._retry_queue if other != trial_id]

    @_synchronized
    def has_more(self) -> bool:
        """Whether there is another trial to propose."""
        trial = self.create_trial(PROBE_TUNER_ID)
        if trial.status == RUNNING:
            self.requeue([PROBE_TUNER_ID])
        return trial.status != STOPPED

    def replay(self) -> None:
        """Repeat the events of the journal; fail where this oracle would have proposed other trials."""
        for number, event in enumerate(self.journal.events(), start=1):
            self._replayed = event
            if event["event"] == "begin":
                trial = self.create_trial(event["worker"])
                if (trial.trial_id, trial.hyperparameters.values) != (event["trial"], event["values"]):
                    raise errors.FailedError(
                        f"line {number} of the session's journal does not follow from the lines before: it is of "
                        "another version of Keras Tuner or of another space; choose another --session_dir"
                    )
            elif event["event"] == "end":
                self.finish(self.trials[event["trial"]], event)
            elif event["event"] == "forget":
                self.forget(event["trial"])
            elif event["event"] == "requeue":
                self.requeue(event["workers"])
        self._replayed = None

    def _keep(self, event: dict[str, Any]) -> None:
        if self._replayed is None:
            self.journal.append({**event, "spent_s": round(self.spent_s(), 1)})


class _Random(Oracle, RandomSearchOracle):
    pass


class _Grid(Oracle, GridSearchOracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose the next combination while this one is under way.

        Keras Tuner waits for a trial to end, in case it adds hyperparameters: workers would take turns. A session's
        space has all of its hyperparameters from the start.
        """
        proposed = super().populate_space(trial_id)
        if proposed["status"] == RUNNING:
            self._populate_next.append(trial_id)
        return proposed


class _Hyperband(Oracle, HyperbandOracle):
    pass


class _Bayesian(Oracle, BayesianOptimizationOracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose by the model of the objective; a replay takes the proposal from the journal instead."""
        num_completed = sum(trial.status == COMPLETED for trial in self.trials.values())
        if self._replayed is None or num_completed < self.num_initial_points:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # normal with few points
                return super().populate_space(trial_id)
        # The draws that the model's search would have made.
        self._random_state.uniform(size=(_BAYESIAN_STARTS, len(self._nonfixed_space())))
        return {"status": RUNNING, "values": dict(self._replayed["values"])}


def build(
    config: SessionConfig,
    space: keras_tuner.HyperParameters,
    journal: Journal,
    spent_s: Callable[[], float] = lambda: 0.0,
) -> Oracle:
    """An oracle that maximises the objective, in the state that the journal of a session of the same kind describes.

    `spent_s` returns the seconds that the session has taken. Hyperband repeats its brackets where minutes end a search.
    """
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": space.copy(),
        "allow_new_entries": False,
        "seed": config.seed + 1,  # Keras Tuner takes 0 for none
        "max_consecutive_failed_trials": _NO_LIMIT,
    }
    oracle: Oracle
    if config.tuner == "hyperband":
        iterations = None if config.max_minutes else 1  # for Keras Tuner, None is without end
        oracle = _Hyperband(max_epochs=config.max_epochs, hyperband_iterations=iterations, **common)
    elif config.tuner == "bayesian":
        num_random = min(max(3, config.max_trials // 3), 3 * len(space.space))
        oracle = _Bayesian(max_trials=config.max_trials, num_initial_points=num_random, **common)
    else:
        oracle = {"random": _Random, "grid": _Grid}[config.tuner](max_trials=config.max_trials, **common)
    oracle.verbose, oracle.journal, oracle.spent_s = 0, journal, spent_s
    oracle.replay()
    return oracle
