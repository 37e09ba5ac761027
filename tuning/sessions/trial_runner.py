"""Trials as the jobs of a pool of workers: each record is kept before the oracle gets it."""

import math
import pathlib
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api

from pipeline.common import errors
from pipeline.common.process.worker_process import WorkerError
from tuning.sessions import chief
from tuning.sessions.folder import COMPLETED, FAILED
from tuning.sessions.oracles.oracle import RUNNING, STOPPED, Oracle
from tuning.sessions.progress import SessionProgress
from tuning.sessions.scores import accuracies, objective, several_objectives
from tuning.sessions.session import Session
from tuning.workers.job import TrainingJob
from tuning.workers.pool import POLL_SECONDS

ALL_TRIED = "every combination of the space has been tried"
MAX_FAILURES = 5  # in a row; a session in which nothing works must not go on for hours


class FailureCounter:
    """Counts the trials that fail one after the other, in this call of the session."""

    def __init__(self) -> None:
        self._num_in_a_row = 0

    def count(self, record: dict[str, Any]) -> None:
        """Count a trial; fail where it is the last of MAX_FAILURES that failed in a row."""
        self._num_in_a_row = 0 if record["status"] == COMPLETED else self._num_in_a_row + 1
        if self._num_in_a_row >= MAX_FAILURES:
            raise errors.FailedError(f"{MAX_FAILURES} trials in a row failed, the last one: {record['reason']}")


class Trials:
    """The trials of an oracle, of this process or the chief's, as a pool's source.

    Each worker's name is `worker_name` and its number; `allows_another` says whether one more trial fits into the
    session's limits beside a number of trials under way.
    """

    def __init__(
        self,
        session: Session,
        oracle: Oracle | chief.RemoteOracle,
        progress: SessionProgress,
        worker_name: str,
        allows_another: Callable[[int], bool] = lambda num_under_way: True,
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        self._session, self._oracle, self._progress = session, oracle, progress
        self._worker_name, self._allows_another, self._on_poll = worker_name, allows_another, on_poll
        self._trials: dict[str, Any] = {}  # those under way, by their label
        self._failures = FailureCounter()
        self.is_exhausted = False

    def next_job(self, worker: int) -> TrainingJob | None:
        """The job of the next trial that the oracle proposes."""
        if not self._allows_another(len(self._trials)):
            self.is_exhausted = not self._trials  # those under way may take less than expected
            return None
        trial = self._oracle.create_trial(f"{self._worker_name}{worker}")
        if trial.status == RUNNING:
            return self._job(trial)
        if trial.status == STOPPED:
            self.is_exhausted = True
            if self._oracle.is_exhausted:
                self._progress.print(ALL_TRIED)
        else:
            time.sleep(POLL_SECONDS)  # the oracle waits for the trials of other workers
        return None

    def run_dir(self, job: TrainingJob) -> pathlib.Path:
        """The run folder of a trial under way."""
        return self._session.folder.run_dir(job.label)

    def finish(self, job: TrainingJob, outcome: dict[str, Any], seconds: float) -> None:
        """Keep the record of a trial that ended."""
        report, trial = outcome["report"], self._trials[job.label]
        try:
            value = objective(self._session.config, report)
            several = several_objectives(self._session.config, outcome, job.data.batch_size)
            for name, number in {"": value, **several}.items():
                if not math.isfinite(number):
                    raise errors.FailedError(f"the objective {name}".rstrip() + f" is {number}")
        except errors.FailedError as error:
            self._keep(trial, seconds, status=FAILED, reason=str(error))
            return
        results = {
            "precision": report["precision"],
            "objective": value,
            **({"objectives": several} if several else {}),
            **accuracies(report),
            **{name: report[name] for name in ("epochs", "train_petaflop", "train_seconds", "git_commit")},
            "overhead_seconds": round(seconds - outcome["cell_seconds"], 3),
            "config": job.config,
            "unread": list(job.unread),
        }
        self._keep(trial, seconds, status=COMPLETED, **results)

    def fail(self, job: TrainingJob, error: WorkerError, seconds: float) -> None:
        """Keep the record of a trial that failed.

        Raises:
          errors.WriteError: the disk is full or fails; the trial and its checkpoint remain for the next call.
        """
        if error.type_name == errors.WriteError.__name__:
            raise errors.WriteError(f"session_dir={self._session.folder.path}: {error}") from error
        if error.type_name == errors.BusyError.__name__:
            # Another worker, whose heartbeats had stopped, still trains the trial: its result is the trial's.
            del self._trials[job.label]
            time.sleep(POLL_SECONDS)
            return
        self._keep(self._trials[job.label], seconds, status=FAILED, reason=str(error))

    def poll(self) -> None:
        """Redraw the progress."""
        self._progress.advance()
        self._on_poll()

    def _job(self, trial: Any) -> TrainingJob | None:
        record = self._session.folder.record(trial.trial_id)
        if record is not None:  # a kill came after the record was written and before the oracle got it
            self._report(trial, record)
            return None
        try:
            job = self._session.jobs.trial(trial.trial_id, trial.hyperparameters.values)
        except errors.BadArgumentError as error:
            self._keep(trial, 0.0, status=FAILED, reason=str(error))
            return None
        self._trials[job.label] = trial
        self._progress.begin(trial.trial_id, trial.hyperparameters.values)
        return job

    def _keep(self, trial: Any, seconds: float, **results: Any) -> None:
        values = trial.hyperparameters.values
        record = {"id": trial.trial_id, "hyperparameters": values, "seconds": round(seconds, 3), **results}
        self._session.folder.write_record(record)
        self._report(trial, record)

    def _report(self, trial: Any, record: dict[str, Any]) -> None:
        """Pass on a record that is written; the oracle's state follows the record, so the oracle comes last."""
        self._trials.pop(trial.trial_id, None)
        if record["status"] == COMPLETED:
            _log_for_tensorboard(self._session.folder.path / "tensorboard" / record["id"], record)
        self._session.folder.remove_run(trial.trial_id)
        self._oracle.finish(trial, record)
        self._progress.end(record)
        self._failures.count(record)


def _log_for_tensorboard(folder: pathlib.Path, record: dict[str, Any]) -> None:
    """Log a completed trial for the HParams page of `tensorboard --logdir=SESSION/tensorboard`."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        api.hparams(record["hyperparameters"], trial_id=record["id"])
        values = {name: record[name] for name in ("objective", "fine", "coarse")} | record.get("objectives", {})
        for name, value in values.items():
            if value is not None:
                tf.summary.scalar(name, value, step=round(record["epochs"]))
    writer.close()
