"""The base of all oracles: Keras Tuner's, with a journal in place of its files, which survives any end of a process.

Keras Tuner writes its state in place into several JSON files, which a kill leaves torn. Here the journal gets one
durable line when a trial begins and one when it ends. A session that continues replays the journal to a new oracle of
the same seed, whose state then equals the old one's, random generators included.

Hyperparameters may depend on the values of others: every proposal comes from a `ConditionalSpace`.
"""

import functools
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.hyperparameters import HyperParameter
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import protos  # noqa: F401  # imported by chief
from keras_tuner.src.engine.oracle import LOCKS, THREADS

from pipeline.common import errors
from tuning.sessions import journal
from tuning.sessions.journal import Journal
from tuning.sessions.oracles import keras_tuner_version  # noqa: F401  # checks the version
from tuning.sessions.oracles.conditional_space import ConditionalSpace

OBJECTIVE = "objective"
RUNNING, IDLE, STOPPED = TrialStatus.RUNNING, TrialStatus.IDLE, TrialStatus.STOPPED
COMPLETED, FAILED = TrialStatus.COMPLETED, TrialStatus.FAILED
PROBE_TUNER_ID = "nobody"  # asks whether a trial is left, and gives it back
_STRIDE = 10**6  # between the seeds of two trials that are drawn in place of a duplicate


def synchronized(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let one thread at a time into the oracle, and release Keras Tuner's own lock whatever the method raises."""

    @functools.wraps(method)
    def call(self: "Oracle", *arguments: Any) -> Any:
        with self._lock:
            try:
                return method(self, *arguments)
            finally:
                if LOCKS[self].locked():  # by this thread: the others wait for self._lock
                    THREADS[self] = None
                    LOCKS[self].release()

    return call


class Oracle(keras_tuner.Oracle):
    """Base of the oracles: without Keras Tuner's files, with the journal and its replay."""

    journal: Journal
    space: ConditionalSpace
    ongoing_trials: dict[str, Trial]  # by worker
    tuner_ids: set[str]  # workers that do not know yet that the search is over
    _retry_queue: list[str]
    _seed_state: int
    is_exhausted = False  # whether every combination of the space has been proposed
    spent_s: Callable[[], float]  # seconds that the session has taken so far
    _replayed: Mapping[str, Any] | None = None  # the event under replay

    def save(self) -> None:
        """Do nothing: the journal is the state."""

    def _save_trial(self, trial: Trial) -> None:
        """Do nothing: the journal is the state."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._objectives: dict[str, Mapping[str, float]] = {}  # of each trial, where a session has several
        self._lock = threading.RLock()  # Keras Tuner's own lock stays held after an exception

    @synchronized
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

    @synchronized
    def end_trial(self, trial: Trial) -> None:
        """End a trial, COMPLETED with the objective that `update_trial` got, or FAILED."""
        known = self.trials[trial.trial_id]
        objective = known.metrics.get_best_value(OBJECTIVE) if trial.status == COMPLETED else None
        event = {"event": "end", "trial": trial.trial_id, "status": trial.status, "objective": objective}
        objectives = self._objectives.get(trial.trial_id)
        self._keep({**event, "objectives": objectives} if objectives else event)
        super().end_trial(trial)

    @synchronized
    def finish(self, trial: Trial, record: Mapping[str, Any]) -> None:
        """End a trial with its record: `status`, and `objective` where it completed, of several `objectives` by name.

        A trial of a worker that had timed out may have ended already, and other workers or the queue may have it: it is
        taken from them.
        """
        if self.trials[trial.trial_id].status not in (COMPLETED, FAILED):
            self._end(trial, record)
        self.forget(trial.trial_id)

    def _end(self, trial: Trial, record: Mapping[str, Any]) -> None:
        if record["status"] == COMPLETED:
            self.update_trial(trial.trial_id, {OBJECTIVE: record["objective"]})
            self._objectives[trial.trial_id] = record.get("objectives", {})
        trial.status = record["status"]
        self.end_trial(trial)

    @synchronized
    def requeue(self, workers: Sequence[str] | None = None) -> None:
        """Give the trials of these workers, or of all, to the workers that ask next."""
        gone = sorted(self.ongoing_trials.keys() & (self.ongoing_trials if workers is None else set(workers)))
        if not gone:
            return
        self._keep({"event": "requeue", "workers": gone})
        for name in gone:
            self._retry_queue.append(self.ongoing_trials.pop(name).trial_id)
            self.tuner_ids.discard(name)

    @synchronized
    def forget(self, trial_id: str) -> None:
        """Remove a trial that has ended from the workers and the queue that still have it."""
        have = sorted(name for name, trial in self.ongoing_trials.items() if trial.trial_id == trial_id)
        if not have and trial_id not in self._retry_queue:
            return
        self._keep({"event": "forget", "trial": trial_id})
        for name in have:
            del self.ongoing_trials[name]
        self._retry_queue = [other for other in self._retry_queue if other != trial_id]

    @synchronized
    def has_more(self) -> bool:
        """Whether there is another trial to propose."""
        trial = self.create_trial(PROBE_TUNER_ID)
        if trial.status == RUNNING:
            self.requeue([PROBE_TUNER_ID])
        return trial.status != STOPPED

    def _random_values(self) -> dict[str, Any] | None:
        """Values that no trial has had; None where the space has no more."""
        seed_state = self._seed_state
        for _ in range(self._max_collisions):
            values = self.space.ask(self._sample)
            if not self._duplicate(values):
                return values
        # Few combinations are left: the first in the grid's order.
        values_left = (values for values in self.space.combinations() if not self._duplicate(values))
        following = next(values_left, None)
        if following is None:
            self._seed_state, self.is_exhausted = seed_state, True
        return following

    def _values_of_duplicate(self) -> dict[str, Any] | None:
        """Values in place of a model's proposal that a trial has had; a replay, which draws none, is not disturbed."""
        self._seed_state, seed_state = self.seed + _STRIDE * len(self.trials), self._seed_state
        values = self._random_values()
        self._seed_state = seed_state
        return values

    def _sample(self, hyperparameter: HyperParameter) -> Any:
        value = hyperparameter.random_sample(self._seed_state)
        self._seed_state += 1
        return value

    def _record_values(self, trial: Trial) -> None:
        """Record a trial's values, with the hyperparameters that they lead to as its own."""
        values = trial.hyperparameters.values
        asked = self.space.complete(values)
        trial.hyperparameters = self.space.hyperparameters(asked)
        own = {name: value for name, value in values.items() if name.startswith("tuner/")}
        trial.hyperparameters.values = {**asked, **own}
        self.update_space(trial.hyperparameters)  # one that was not collected before the search
        super()._record_values(trial)

    def replay(self) -> None:
        """Repeat the events of the journal; fail where this oracle would have proposed other trials."""
        for number, event in enumerate(self.journal.events(), start=1):
            self._replayed = event
            is_known = event.get("trial") in self.trials
            if event["event"] == "begin":
                trial = self.create_trial(event["worker"])
                if (trial.trial_id, trial.hyperparameters.values) != (event["trial"], event["values"]):
                    raise self._does_not_follow(number)
            elif event["event"] in ("end", "forget") and not is_known:
                raise self._does_not_follow(number)
            elif event["event"] == "end":
                self._end(self.trials[event["trial"]], event)
            elif event["event"] == "forget":
                self.forget(event["trial"])
            elif event["event"] == "requeue":
                self.requeue(event["workers"])
        self._replayed = None
        if num_missing := self.journal.num_missing():
            print(
                f"warning: {self.journal.where}: {num_missing} of its lines are missing; the search goes on, since the "
                "trials follow without them",
                file=sys.stderr,
            )

    def _does_not_follow(self, number: int) -> errors.FailedError:
        return errors.FailedError(
            f"{self.journal.where}: line {number} does not follow from the lines before: one is missing or damaged, or "
            f"they are of another version of Keras Tuner or of another space; {journal.REMEDY}"
        )

    def _keep(self, event: dict[str, Any]) -> None:
        if self._replayed is None:
            self.journal.append({**event, "spent_s": round(self.spent_s(), 1)})
