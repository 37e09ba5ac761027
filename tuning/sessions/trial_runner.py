"""Trials side by side: each trained in a worker's process, its outcome kept before the oracle hears of it."""

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from models.training import signals
from pipeline.common import errors
from tuning.sessions import chief, oracles, session, tensorboard_log
from tuning.sessions.progress import SessionProgress
from tuning.sessions.session import COMPLETED, FAILED, Session
from tuning.studies.design import Cell
from tuning.workers.train_job import Train
from tuning.workers.worker_process import INTERRUPTED, CallError, DiedError, RecycledWorker

POLL_SECONDS = 0.1
MOST_FAILURES = 5  # in a row; a session in which nothing works must not go on for hours


class Failures:
    """Counts the trials that fail one after the other, in this call of the session."""

    def __init__(self) -> None:
        self._num_in_a_row = 0

    def see(self, record: dict[str, Any]) -> None:
        """Count a trial.

        Raises:
          errors.FailedError: it is the last of MOST_FAILURES that failed in a row.
        """
        self._num_in_a_row = 0 if record["status"] == COMPLETED else self._num_in_a_row + 1
        if self._num_in_a_row >= MOST_FAILURES:
            raise errors.FailedError(f"{MOST_FAILURES} trials in a row failed, the last one: {record['reason']}")


class AnOracle(Protocol):
    """What trials come from: an oracle of this process, or the chief's."""

    def create_trial(self, tuner_id: str) -> Any:
        """The trial that a worker is to run, or one that says to wait or to end."""

    def finish(self, trial: Any, record: dict[str, Any]) -> None:
        """Take a trial back with its record."""


class _Slot:
    """One place where a trial can run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.worker = RecycledWorker()
        self.trial: Any = None
        self.cell: Cell | None = None
        self.began = 0.0


class Trials:
    """As many trials at a time as the session has workers.

    Args:
      found: whose folder takes the outcomes.
      oracle: what proposes.
      train: what trains a cell in a worker's process; importable by name.
      progress: what is told of it.
      requests: to end.
      name: what the oracle knows each worker by, a number behind it.
      shows_life: whether they leave signs of life in the session's folder.
    """

    def __init__(
        self,
        found: Session,
        oracle: AnOracle,
        train: Train,
        progress: SessionProgress,
        requests: signals.Requests,
        name: str,
        shows_life: bool = False,
    ) -> None:
        self._session, self._oracle, self._train = found, oracle, train
        self._progress, self._requests, self._shows_life = progress, requests, shows_life
        self._slots = [_Slot(f"{name}{number}") for number in range(found.config.workers)]
        self._is_over = False
        self._shown_life = -math.inf
        self._failures = Failures()

    def run(self, allows_another: Callable[[], bool], tick: Callable[[], None]) -> None:
        """Train what the oracle proposes until it has no more, or `allows_another` says that it is enough.

        `tick` is called again and again meanwhile.
        """
        try:
            while not self._is_over or any(slot.cell for slot in self._slots):
                for slot in self._slots:
                    self._advance(slot, allows_another)
                self._show_life()
                tick()
                if self._requests.received:
                    raise errors.InterruptedRunError(INTERRUPTED)
        finally:
            for slot in self._slots:
                slot.worker.interrupt() if slot.cell else slot.worker.stop()

    def _show_life(self) -> None:
        if self._shows_life and time.perf_counter() - self._shown_life > chief.LIFE_SIGN_SECONDS:
            self._shown_life = time.perf_counter()
            for slot in self._slots:
                chief.show_life(self._session, slot.name)

    def _advance(self, slot: _Slot, allows_another: Callable[[], bool]) -> None:
        """Take what a slot has finished; give it a trial if it has none."""
        if slot.cell is not None:
            if slot.worker.answers_within(POLL_SECONDS / len(self._slots)):
                self._finish(slot, slot.cell)
            self._progress.advance()
            return
        if self._is_over or not allows_another():
            self._is_over = True
            return
        trial = self._oracle.create_trial(slot.name)
        if trial.status == oracles.RUNNING:
            self._begin(slot, trial)
        elif trial.status == oracles.STOPPED:
            self._is_over = True
        else:
            time.sleep(POLL_SECONDS)  # it waits for other slots' trials

    def _begin(self, slot: _Slot, trial: Any) -> None:
        slot.trial, slot.began = trial, time.perf_counter()
        record = self._session.record(trial.trial_id)
        if record is not None:  # a kill came between its end and the oracle's hearing of it
            self._tell(slot, record)
            return
        try:
            slot.cell = self._session.cell(trial.trial_id, trial.hyperparameters.copy())
        except errors.BadArgumentError as error:
            self._fail(slot, str(error))
            return
        self._progress.begin(trial.trial_id, trial.hyperparameters.values)
        try:
            slot.worker.call(self._train, slot.cell, self._session.run_dir(trial.trial_id))
        except DiedError as error:
            self._fail(slot, str(error))

    def _finish(self, slot: _Slot, cell: Cell) -> None:
        try:
            outcome = slot.worker.answer()
            report = outcome["report"]
            value = session.objective(self._session.config, report)
            if not math.isfinite(value):
                raise errors.FailedError(f"its objective is {value}")
        except (CallError, DiedError, errors.FailedError) as error:
            self._refuse_full_disk(error)
            if isinstance(error, CallError) and error.kind == errors.BusyError.__name__:
                # A worker that was given up, and lives: its outcome is the trial's.
                slot.cell = None
                time.sleep(POLL_SECONDS)
                return
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
            "git_commit": report["git_commit"],
            "overhead_seconds": round(time.perf_counter() - slot.began - outcome["cell_seconds"], 3),
            "config": cell.config,
            "unread": list(cell.unread),
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

    def _refuse_full_disk(self, error: Exception) -> None:
        """End the session, and keep the trial with its checkpoint, where the world is at fault and not the trial."""
        if isinstance(error, CallError) and error.kind == "OSError":
            raise errors.FailedError(
                f"session_dir={self._session.path}: {error}; make room, then give the same command"
            ) from error

    def _keep(self, slot: _Slot, record: dict[str, Any]) -> None:
        """Write down what came of a trial, before anybody hears of it."""
        self._session.write_record(record)
        self._tell(slot, record)

    def _tell(self, slot: _Slot, record: dict[str, Any]) -> None:
        """Let the others hear of a trial whose record is written; the oracle last, since it is what is asked after."""
        slot.cell = None
        if record["status"] == COMPLETED:
            tensorboard_log.write(self._session.path / "tensorboard", record)
        self._session.remove_run(slot.trial.trial_id)
        self._oracle.finish(slot.trial, record)
        self._progress.end(record)
        self._failures.see(record)
