"""The search itself: proposals of an oracle, trained in workers' processes, their outcome kept before anything else.

    oracle ──trial──▶ Session.cell ──▶ cell_training in a worker ──▶ trials/ID.json ──▶ oracle, and its journal

A session that is cut off anywhere goes on with the next call: trials that have ended are not trained again, those under
way continue from their checkpoints, and what comes next is what would have come.
"""

import contextlib
import math
import os
import pathlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from models import stopping
from models.run_folder import RunFolder
from pipeline import errors
from tuning import cell_training, oracles, service, session, tensorboard_log
from tuning.journal import Journal
from tuning.session import COMPLETED, FAILED, Session, ranked
from tuning.session_progress import SessionProgress
from tuning.study_design import Cell
from tuning.worker import CallError, DiedError, RecycledWorker

POLL_SECONDS = 0.1
MOST_FAILURES = 5  # in a row; a session in which nothing works must not go on for hours
MARGIN = 1.15  # of the seconds that a trial may take beyond what others took
FAREWELL_SECONDS = 20.0  # that a chief waits for its workers to hear that the search is over

Train = Callable[[Cell, pathlib.Path], dict[str, Any]]


def run(found: Session, train: Train = cell_training.train, num_retrained: int = 0) -> None:
    """Search on this machine until the session's trials, minutes or proposals are used up.

    Args:
      found: a session; what it has done already is not done again.
      train: what trains a cell in a worker's process; importable by name.
      num_retrained: seeds that the best trial is to be trained with afterwards, within the session's minutes.

    Raises:
      errors.FailedError: trials fail one after the other, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; everything is kept.
    """
    with _watched(found) as (progress, requests):
        budget = _Budget(found, num_retrained)
        oracle = _begun(found, budget, train, progress, requests)
        _Trials(found, oracle, train, progress, requests, "worker").run(budget.allows_another)


def serve(found: Session, address: str, train: Train = cell_training.train, num_retrained: int = 0) -> None:
    """Be the chief of a search: propose trials to workers at `address`, and train none, until all are ended.

    Args:
      found: a session whose folder the workers can write.
      address: HOST:PORT to listen at.
      train: what trains the trunk, if the session needs one and has none.
      num_retrained: as of `run`.

    Raises:
      errors.FailedError: as of `run`, or the address cannot be had.
      errors.InterruptedRunError: as of `run`.
    """
    with _watched(found) as (progress, requests):
        budget = _Budget(found, num_retrained)
        oracle = _begun(found, budget, train, progress, requests)
        with service.serving(oracle, found, address, budget.allows_another) as servicer:
            progress.tell(f"waiting for workers at {address}")
            begun: dict[str, float] = {}
            told: set[str] = {record["id"] for record in found.records()}
            while not servicer.stop_triggered or oracle.ongoing_trials:
                if requests.received:
                    raise errors.InterruptedRunError("interrupted")
                for name in service.requeue_silent(oracle, found, time.time(), begun):
                    progress.tell(f"{name} shows no sign of life; its trial goes to the next that asks")
                for record in found.records():
                    if record["id"] not in told:
                        told.add(record["id"])
                        progress.end(record)
                _refuse_failures(found)
                time.sleep(service.POLL_SECONDS)
            farewell = time.perf_counter() + FAREWELL_SECONDS
            while oracle.tuner_ids and time.perf_counter() < farewell:
                time.sleep(POLL_SECONDS)


def join(found: Session, address: str, train: Train = cell_training.train) -> None:
    """Be a worker of the chief at `address`: train the trials that it proposes until there are none.

    Raises:
      errors.FailedError: the chief does not answer, or the folder cannot be written.
      errors.InterruptedRunError: SIGINT or SIGTERM came; another worker goes on with the trial.
    """
    with _watched(found) as (progress, requests), contextlib.closing(service.RemoteOracle(address)) as oracle:
        name = f"{socket.gethostname()}-{os.getpid()}-"
        _Trials(found, oracle, train, progress, requests, name, shows_life=True).run(lambda: True)


@contextlib.contextmanager
def _watched(found: Session) -> Iterator[tuple[SessionProgress, stopping.Requests]]:
    try:
        with SessionProgress(found) as progress, stopping.Requests(listen=True) as requests:
            yield progress, requests
    except OSError as error:
        raise errors.FailedError(
            f"session_dir={found.path}: cannot be written ({error.strerror}); make room, then give the same command"
        ) from error


def _begun(
    found: Session, budget: "_Budget", train: Train, progress: SessionProgress, requests: stopping.Requests
) -> oracles.Oracle:
    """The session's oracle, where the journal says it is; its trunk, if it needs one, is trained."""
    if found.space.has_frozen_trunk and not found.config.trunk_run_dir:
        _train_trunk(found, train, progress, requests)
    config = found.config
    oracle = oracles.build(
        *(config.tuner, found.declared(), Journal(found.journal)), config.max_trials, config.max_epochs, config.seed
    )
    oracle.spent_s = budget.spent
    oracle.requeue()
    return oracle


def _train_trunk(found: Session, train: Train, progress: SessionProgress, requests: stopping.Requests) -> None:
    """Train the trunk whose heads are searched, unless an earlier call has."""
    folder = RunFolder(found.trunk_dir)
    if folder.is_finished:
        return
    progress.tell("training the trunk")
    worker = RecycledWorker()
    try:
        worker.call(train, found.trunk_cell(found.config.seed), folder.path)
        while not worker.answers_within(POLL_SECONDS):
            if requests.received:
                raise errors.InterruptedRunError("interrupted")
        worker.answer()
    except (CallError, DiedError) as error:
        raise errors.FailedError(f"the trunk: {error}") from error
    finally:
        worker.interrupt()


def _refuse_failures(found: Session) -> None:
    last = found.records()[-MOST_FAILURES:]
    if len(last) == MOST_FAILURES and all(record["status"] == FAILED for record in last):
        raise errors.FailedError(f"{MOST_FAILURES} trials in a row failed, the last one: {last[-1]['reason']}")


class _Budget:
    """The session's minutes, all calls together."""

    def __init__(self, found: Session, num_retrained: int) -> None:
        self._session, self._num_retrained = found, num_retrained
        self._spent_before, self._began = found.spent_s(), time.perf_counter()

    def spent(self) -> float:
        """Seconds that the session has taken."""
        return self._spent_before + time.perf_counter() - self._began

    def allows_another(self) -> bool:
        """Whether a trial of average length, and what comes after the search, would end in time."""
        limit = 60.0 * self._session.config.max_minutes
        return not limit or self.spent() + MARGIN * self._expected_seconds() <= limit

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


class _AnOracle(Protocol):
    """What trials come from: an oracle of this process, or the chief's."""

    def create_trial(self, tuner_id: str) -> Any: ...

    def finish(self, trial: Any, record: dict[str, Any]) -> None: ...


class _Slot:
    """One place where a trial can run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.worker = RecycledWorker()
        self.trial: Any = None
        self.cell: Cell | None = None
        self.began = 0.0


class _Trials:
    """Trials side by side, as many as the session has workers."""

    def __init__(
        self,
        found: Session,
        oracle: _AnOracle,
        train: Train,
        progress: SessionProgress,
        requests: stopping.Requests,
        name: str,
        shows_life: bool = False,
    ) -> None:
        self._session, self._oracle, self._train = found, oracle, train
        self._progress, self._requests, self._shows_life = progress, requests, shows_life
        self._slots = [_Slot(f"{name}{number}") for number in range(found.config.workers)]
        self._is_over = False
        self._shown_life = -math.inf

    def run(self, allows_another: Callable[[], bool]) -> None:
        try:
            while not self._is_over or any(slot.cell for slot in self._slots):
                for slot in self._slots:
                    self._advance(slot, allows_another)
                self._show_life()
                if self._requests.received:
                    raise errors.InterruptedRunError("interrupted")
        finally:
            for slot in self._slots:
                slot.worker.interrupt() if slot.cell else slot.worker.stop()

    def _show_life(self) -> None:
        if self._shows_life and time.perf_counter() - self._shown_life > service.LIFE_SIGN_SECONDS:
            self._shown_life = time.perf_counter()
            for slot in self._slots:
                service.show_life(self._session, slot.name)

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
            self._oracle.finish(trial, record)
            return
        try:
            slot.cell = self._session.cell(trial.trial_id, trial.hyperparameters.copy())
        except errors.BadArgumentError as error:
            self._fail(slot, str(error))
            return
        self._progress.begin(trial.trial_id, trial.hyperparameters.values)
        slot.worker.call(self._train, slot.cell, self._session.run_dir(trial.trial_id))

    def _finish(self, slot: _Slot, cell: Cell) -> None:
        try:
            outcome = slot.worker.answer()
            report = outcome["report"]
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
            "overhead_seconds": round(time.perf_counter() - slot.began - outcome["cell_seconds"], 3),
            "config": cell.config,
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
        if record["status"] == COMPLETED:
            tensorboard_log.write(self._session.path / "tensorboard", record)
        slot.cell = None
        self._session.remove_run(slot.trial.trial_id)
        self._oracle.finish(slot.trial, record)
        self._progress.end(record)
        _refuse_failures(self._session)
