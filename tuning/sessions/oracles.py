"""Keras Tuner's search algorithms, made to survive: what they propose next follows from a journal of what happened.

Keras Tuner writes its state as JSON in place, in several files that a kill leaves torn or at odds; here nothing of it
reaches the disk. The journal gets one line for a trial that begins and one for a trial that ends, each made durable
before anything else happens; a session that goes on replays them to an oracle made anew with the same seed, which then
is where the other one was, to the state of its random generators.
"""

import functools
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle, GridSearchOracle, HyperbandOracle, RandomSearchOracle
from keras_tuner.src.engine import oracle as oracle_module
from sklearn.exceptions import ConvergenceWarning

from pipeline.common import errors
from tuning.sessions.journal import Journal

OBJECTIVE = "objective"
RUNNING, IDLE, STOPPED = TrialStatus.RUNNING, TrialStatus.IDLE, TrialStatus.STOPPED
COMPLETED, FAILED = TrialStatus.COMPLETED, TrialStatus.FAILED
NOBODY = "nobody"  # asks whether there is anything left, and gives it back
_BAYESIAN_STARTS = 50  # points from which Keras Tuner looks for the best of its model's answers
_NO_LIMIT = 10**9  # Keras Tuner counts failures in a row and raises with its lock held; the session counts its own


def _alone(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let one thread at a time into the oracle, and leave it usable whatever the method raises."""

    @functools.wraps(method)
    def guarded(self: "Oracle", *arguments: Any) -> Any:
        with self._lock:
            try:
                return method(self, *arguments)
            finally:
                if oracle_module.LOCKS[self].locked():  # by this thread: the others wait before
                    oracle_module.THREADS[self] = None
                    oracle_module.LOCKS[self].release()

    return guarded


class Oracle(keras_tuner.Oracle):
    """What each of Keras Tuner's oracles gets: no files of its own, the journal, and replay."""

    journal: Journal
    ongoing_trials: dict[str, Trial]
    _retry_queue: list[str]
    _seed_state: int
    spent_s: Callable[[], float] = staticmethod(lambda: 0.0)  # seconds that the session has taken so far
    _replayed: Mapping[str, Any] | None = None  # the event under replay

    def save(self) -> None:
        """Nothing: the journal is the state."""

    def _save_trial(self, trial: Trial) -> None:
        """Nothing: the journal is the state."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._lock = threading.RLock()  # Keras Tuner's own lock stays held where something raises

    @_alone
    def create_trial(self, tuner_id: str) -> Trial:
        """The trial that a worker is to run; one that it has not ended yet is given to it again."""
        is_known, seed_state = tuner_id in self.ongoing_trials, self._seed_state
        trial = super().create_trial(tuner_id)
        if trial.status != RUNNING:
            self._seed_state = seed_state  # the journal knows nothing of a question that led to no trial
        elif not is_known:
            values = trial.hyperparameters.values
            self._keep({"event": "begin", "worker": tuner_id, "trial": trial.trial_id, "values": values})
        return trial

    @_alone
    def end_trial(self, trial: Trial) -> None:
        """Take a trial back, COMPLETED with its objective reported by `update_trial`, or FAILED."""
        own = self.trials[trial.trial_id]
        objective = own.metrics.get_best_value(OBJECTIVE) if trial.status == COMPLETED else None
        self._keep({"event": "end", "trial": trial.trial_id, "status": trial.status, "objective": objective})
        super().end_trial(trial)

    @_alone
    def finish(self, trial: Trial, record: Mapping[str, Any]) -> None:
        """Take a trial back with its record: `status`, and `objective` where it completed.

        One that has ended already, by a worker that was given up and yet lived, is only taken from whoever has it.
        """
        if self.trials[trial.trial_id].status in (COMPLETED, FAILED):
            self.forget(trial.trial_id)
            return
        if record["status"] == COMPLETED:
            self.update_trial(trial.trial_id, {OBJECTIVE: record["objective"]})
        trial.status = record["status"]
        self.end_trial(trial)

    @_alone
    def requeue(self, workers: Sequence[str] | None = None) -> None:
        """Let trials that nobody runs any more be run by whoever asks next: those of some workers, or all."""
        gone = sorted(self.ongoing_trials.keys() & (self.ongoing_trials if workers is None else set(workers)))
        if not gone:
            return
        self._keep({"event": "requeue", "workers": gone})
        for name in gone:
            self._retry_queue.append(self.ongoing_trials.pop(name).trial_id)
            self.tuner_ids.discard(name)

    @_alone
    def forget(self, trial_id: str) -> None:
        """Take a trial that has ended from the workers and the queue that still have it."""
        have = sorted(name for name, trial in self.ongoing_trials.items() if trial.trial_id == trial_id)
        if not have and trial_id not in self._retry_queue:
            return
        self._keep({"event": "forget", "trial": trial_id})
        for name in have:
            del self.ongoing_trials[name]
        self._retry_queue = [other for other in self._retry_queue if other != trial_id]

    @_alone
    def has_more(self) -> bool:
        """Whether it would propose another trial, if somebody asked."""
        trial = self.create_trial(NOBODY)
        if trial.status == RUNNING:
            self.requeue([NOBODY])
        return trial.status != STOPPED

    def replay(self) -> None:
        """Live through the journal's events, which an oracle of the same arguments has left there.

        Raises:
          errors.FailedError: it would have proposed other trials: it is of another session or version.
        """
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
        """As Keras Tuner's, but that the next combination follows while this one is under way.

        Keras Tuner waits for its end, in case it adds hyperparameters: workers would take turns. A session's spaces
        have theirs from the start.
        """
        proposed = super().populate_space(trial_id)
        if proposed["status"] == RUNNING:
            self._populate_next.append(trial_id)
        return proposed


class _Hyperband(Oracle, HyperbandOracle):
    pass


class _Bayesian(Oracle, BayesianOptimizationOracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """As Keras Tuner's, but for the model of the objective: under replay its answer stands in the journal."""
        num_completed = sum(trial.status == COMPLETED for trial in self.trials.values())
        if self._replayed is None or num_completed < self.num_initial_points:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # of few points; it says nothing of the proposal
                return super().populate_space(trial_id)
        self._random_state.uniform(size=(_BAYESIAN_STARTS, len(self._nonfixed_space())))  # what it would have drawn
        return {"status": RUNNING, "values": dict(self._replayed["values"])}


def build(
    tuner: str,
    space: keras_tuner.HyperParameters,
    journal: Journal,
    max_trials: int,
    max_epochs: int,
    seed: int,
    spent_s: Callable[[], float] = lambda: 0.0,
    has_time_limit: bool = False,
) -> Oracle:
    """An oracle that maximises the objective, where the journal says it is.

    Args:
      tuner: one of `session.TUNERS`.
      space: with every hyperparameter in it.
      journal: of a session of these very arguments, or an empty one.
      max_trials: so many at most; Hyperband's number follows from `max_epochs`.
      max_epochs: of a trial; only Hyperband reads it.
      seed: of what it proposes.
      spent_s: seconds that the session has taken so far, for the journal.
      has_time_limit: whether whoever asks ends the search by the clock; Hyperband then goes through its brackets again
        and again, instead of once.
    """
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": space.copy(),
        "allow_new_entries": False,
        "seed": seed + 1,  # Keras Tuner takes 0 for none
        "max_consecutive_failed_trials": _NO_LIMIT,
    }
    oracle: Oracle
    if tuner == "hyperband":
        iterations = None if has_time_limit else 1  # for Keras Tuner, None is without end
        oracle = _Hyperband(max_epochs=max_epochs, hyperband_iterations=iterations, **common)
    elif tuner == "bayesian":
        num_random = min(max(3, max_trials // 3), 3 * len(space.space))
        oracle = _Bayesian(max_trials=max_trials, num_initial_points=num_random, **common)
    else:
        oracle = {"random": _Random, "grid": _Grid}[tuner](max_trials=max_trials, **common)
    oracle.verbose = 0
    oracle.journal = journal
    oracle.spent_s = spent_s
    oracle.replay()
    return oracle
