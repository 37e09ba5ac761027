"""The jobs of a study, trained by a pool of workers; a job that fails is recorded, and the others go on."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.common import errors
from pipeline.common.process import signals
from pipeline.common.process.worker_process import WorkerError
from pipeline.data_config import AUTO
from tuning.studies.folder import StudyFolder
from tuning.studies.progress import StudyProgress
from tuning.workers import train_job
from tuning.workers.job import TrainingJob
from tuning.workers.pool import MAX_TASKS, WorkerPool
from tuning.workers.train_job import Train

ChoosePrecision = Callable[[str], tuple[str, str]]


def run(
    folder: StudyFolder,
    jobs: Sequence[TrainingJob],
    train: Train = train_job.train,
    choose_precision: ChoosePrecision = train_job.choose_precision,
    num_workers: int = 1,
    compares_memory: bool = False,
) -> None:
    """Train every job that is not finished in the folder, and keep the results there.

    Args:
      folder: of the study.
      jobs: in the order in which they begin.
      train: trains one in a worker's process; importable by name.
      choose_precision: returns the precision that `auto` becomes and the reason, in a worker too. A study that has
        begun keeps its own: rows of two precisions cannot be compared.
      num_workers: jobs that are trained side by side, each in a process of its own on its share of the processors.
      compares_memory: whether each job gets a process of its own, since one keeps memory of the jobs before.

    Raises:
      errors.FailedError: this machine's precision cannot be chosen, or the disk is full or fails.
      errors.InterruptedRunError: a signal came that ends a process; what is finished is kept, and what was under way
        goes on later.
    """
    pending = [job for job in jobs if not folder.is_finished(job)]
    max_tasks = 1 if compares_memory else MAX_TASKS
    with (
        StudyProgress(folder, jobs, num_workers) as progress,
        signals.Requests(listen=True) as requests,
        WorkerPool(requests, num_workers, share_cpu=True, max_tasks=max_tasks, notify=progress.print) as pool,
    ):
        if any(job.train.precision == AUTO for job in pending):
            if folder.precision == AUTO:
                try:
                    with progress.task("timing bfloat16 and float32 on this machine"):
                        folder.settle_precision(*pool.call(choose_precision, AUTO))
                except WorkerError as error:
                    raise errors.FailedError(f"precision={AUTO}: {error}") from error
            pending = [_with_precision(job, folder.precision) for job in pending]
        pool.run(_StudyJobs(folder, pending, progress), train)


def _with_precision(job: TrainingJob, precision: str) -> TrainingJob:
    is_auto = job.train.precision == AUTO
    return dataclasses.replace(job, train=job.train.replace(precision=precision)) if is_auto else job


class _StudyJobs:
    """The pending jobs of a study as a pool's source."""

    def __init__(self, folder: StudyFolder, pending: Sequence[TrainingJob], progress: StudyProgress) -> None:
        self._folder, self._pending, self._progress = folder, list(pending), progress

    @property
    def is_exhausted(self) -> bool:
        return not self._pending

    def next_job(self, worker: int) -> TrainingJob:
        job = self._pending.pop(0)
        self._progress.begin(job)
        return job

    def run_dir(self, job: TrainingJob) -> pathlib.Path:
        return self._folder.run_dir(job)

    def finish(self, job: TrainingJob, outcome: dict[str, Any], seconds: float) -> None:
        self._folder.write_finished(job, outcome, seconds)
        self._progress.end(job)

    def fail(self, job: TrainingJob, error: WorkerError, seconds: float) -> None:
        if error.type_name == errors.WriteError.__name__:  # the next job would fail too
            raise errors.WriteError(f"study_dir={self._folder.path}: {error}") from error
        self._folder.write_failed(job, str(error), error.trace, seconds)
        self._progress.end(job)
        if error.type_name == errors.DivergedError.__name__:
            self._folder.remove_run(job)

    def poll(self) -> None:
        self._progress.advance()
