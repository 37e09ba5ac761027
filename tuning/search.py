"""The search itself: proposals of an oracle, trained in workers' processes, their outcome kept before anything else.

    oracle ──trial──▶ Session.cell ──▶ cell_training in a worker ──▶ trials/ID.json ──▶ oracle, and its journal

A session that is cut off anywhere goes on with the next call: trials that have ended are not trained again, those under
way continue from their checkpoints, and what comes next is what would have come.
"""

import math
import pathlib
import time
from collections.abc import Callable
from typing import Any

from models import stopping
from models.run_folder import RunFolder
from pipeline import errors
from tuning import cell_training, oracles, session
from tuning.journal import Journal
from tuning.session import COMPLETED, FAILED, Session, ranked
from tuning.session_progress import SessionProgress
from tuning.study_design import Cell
from tuning.worker import CallError, DiedError, RecycledWorker

POLL_SECONDS = 0.1
MOST_FAILURES = 5  # in a row; a session in which nothing works must not go on for hours
MARGIN = 1.15  # of the seconds that a trial may take beyond what others took

Train = Callable[[Cell, pathlib.Path], dict[str, Any]]


def run(found: Session, train: Train = cell_training.train, num_retrained: int = 0) -> None:
    """Search until the session's trials, minutes or proposals are used up.

    Args:
      found: a session; what it has done already is not done again.
      num_retrained: seeds that the best trial is to be trained with afterwards, within the session's minutes.
      train: what trains a cell in a worker's process; importable by name.

    Raises:
      errors.FailedError: trials fail one after the other, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; everything is kept.
    """
    try:
        with SessionProgress(found) as progress, stopping.Requests(listen=True) as requests:
            _Search(found, train, num_retrained, progress, requests).run()
    except OSError as error:
        raise errors.FailedError(
            f"session_dir={found.path}: cannot be written ({error.strerror}); make room, then give the same command"
        ) from error


class _Slot:
    """One place where a trial can run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.worker = RecycledWorker()
        self.trial: Any = None
        self.cell: Cell | None = None
        self.began = 0.0


class _Search:
    def __init__(
        self,
        found: Session,
        train: Train,
        num_retrained: int,
        progress: SessionProgress,
        requests: stopping.Requests,
    ) -> None:
        self._session, self._train, self._progress, self._requests = found, train, progress, requests
        self._num_retrained = num_retrained
        self._slots = [_Slot(f"worker{number}") for number in range(found.config.workers)]
        self._began = time.perf_counter()
        self._spent_before = 0.0
        self._num_failed_in_a_row = 0
        self._is_over = False

    def run(self) -> None:
        config = self._session.config
        journal = Journal(self._session.journal)
        self._spent_before = self._session.spent_s()
        try:
            if self._session.space.has_frozen_trunk and not config.trunk_run_dir:
                self._train_trunk()
            self._oracle = oracles.build(
                config.tuner, self._session.declared(), journal, config.max_trials, config.max_epochs, config.seed
            )
            self._oracle.spent_s = self._spent
            self._oracle.requeue()
            while not self._is_over or any(slot.cell for slot in self._slots):
                for slot in self._slots:
                    self._advance(slot)
                if self._requests.received:
                    raise errors.InterruptedRunError("interrupted")
        finally:
            for slot in self._slots:
                slot.worker.interrupt() if slot.cell else slot.worker.stop()

    def _spent(self) -> float:
        """Seconds that the session has taken, earlier calls included."""
        return self._spent_before + time.perf_counter() - self._began

    def _train_trunk(self) -> None:
        """Train the trunk whose heads are searched, unless an earlier call has."""
        folder = RunFolder(self._session.trunk_dir)
        if folder.is_finished:
            return
        self._progress.tell("training the trunk")
        slot = self._slots[0]
        slot.cell = self._session.trunk_cell(self._session.config.seed)
        try:
            slot.worker.call(self._train, slot.cell, folder.path)
            while not slot.worker.answers_within(POLL_SECONDS):
                if self._requests.received:
                    raise errors.InterruptedRunError("interrupted")
            slot.worker.answer()
        except (CallError, DiedError) as error:
            raise errors.FailedError(f"the trunk: {error}") from error
        slot.cell = None

    def _advance(self, slot: _Slot) -> None:
        """Take what a slot has finished; give it a trial if it has none."""
        if slot.cell is not None:
            if slot.worker.answers_within(POLL_SECONDS / len(self._slots)):
                self._finish(slot)
            self._progress.advance()
            return
        if self._is_over:
            return
        if not self._has_time_for_another():
            self._is_over = True
            return
        trial = self._oracle.create_trial(slot.name)
        if trial.status == oracles.RUNNING:
            self._begin(slot, trial)
        elif trial.status == "STOPPED":
            self._is_over = True
        else:
            time.sleep(POLL_SECONDS)  # it waits for other slots' trials

    def _begin(self, slot: _Slot, trial: Any) -> None:
        slot.trial, slot.began = trial, time.perf_counter()
        record = self._session.record(trial.trial_id)
        if record is not None:  # a kill came between its end and the oracle's hearing of it
            self._end(trial, record)
            return
        try:
            slot.cell = self._session.cell(trial.trial_id, trial.hyperparameters.copy())
        except errors.BadArgumentError as error:
            self._fail(slot, str(error))
            return
        self._progress.begin(trial.trial_id, trial.hyperparameters.values)
        slot.worker.call(self._train, slot.cell, self._session.run_dir(trial.trial_id))

    def _finish(self, slot: _Slot) -> None:
        try:
            report = slot.worker.answer()["report"]
            value = session.objective(self._session.config, report)
            if not math.isfinite(value):
                raise errors.FailedError(f"its objective is {value}")
        except (CallError, DiedError, errors.FailedError) as error:
            self._fail(slot, str(error))
            return
        record = {
            **self._about(slot),
            "status": COMPLETED,
            "precision": report["precision"],
            "objective": value,
            **session.accuracies(report),
            "epochs": report["epochs"],
            "train_petaflop": report["train_petaflop"],
            "train_seconds": report["train_seconds"],
            "config": slot.cell.config if slot.cell else {},
        }
        self._keep(slot, record)

    def _fail(self, slot: _Slot, reason: str) -> None:
        self._keep(slot, {**self._about(slot), "status": FAILED, "reason": reason})

    def _about(self, slot: _Slot) -> dict[str, Any]:
        return {
            "id": slot.trial.trial_id,
            "hyperparameters": slot.trial.hyperparameters.values,
            "seconds": round(time.perf_counter() - slot.began, 3),
        }

    def _keep(self, slot: _Slot, record: dict[str, Any]) -> None:
        self._session.write_record(record)
        slot.cell = None
        self._session.remove_run(slot.trial.trial_id)
        self._end(slot.trial, record)
        self._progress.end(record)

    def _end(self, trial: Any, record: dict[str, Any]) -> None:
        """Let the oracle hear of a trial whose record is written."""
        if record["status"] == COMPLETED:
            self._oracle.update_trial(trial.trial_id, {oracles.OBJECTIVE: record["objective"]})
        trial.status = record["status"]
        self._oracle.end_trial(trial)
        self._num_failed_in_a_row = 0 if record["status"] == COMPLETED else self._num_failed_in_a_row + 1
        if self._num_failed_in_a_row >= MOST_FAILURES:
            raise errors.FailedError(
                f"{self._num_failed_in_a_row} trials in a row failed, the last one: {record['reason']}"
            )

    def _has_time_for_another(self) -> bool:
        """Whether a trial of average length, and what comes after the search, would end within the minutes."""
        limit = 60.0 * self._session.config.max_minutes
        return not limit or self._spent() + MARGIN * self._expected_seconds() <= limit

    def _expected_seconds(self) -> float:
        """Of another trial and of training the best one again; 0 where no trial has told yet."""
        completed = ranked(self._session.records())
        if not completed:
            return 0.0
        seconds = sum(record["seconds"] for record in completed)
        if self._session.space.has_frozen_trunk:
            untuned = RunFolder(self._session.trunk_dir)
            untuned_seconds = untuned.report()["train_seconds"] if untuned.is_finished else 0.0
            retrained = untuned_seconds + max(record["seconds"] for record in completed)
        else:
            epochs = self._session.trunk_cell(0).train.epochs
            retrained = 2 * epochs * seconds / sum(record["epochs"] for record in completed)
        return seconds / len(completed) + self._num_retrained * retrained
