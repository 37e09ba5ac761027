"""A pool of worker processes that train the jobs of a source, one job a worker at a time."""

import itertools
import math
import pathlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.common import cpu, errors
from pipeline.common.process import signals
from pipeline.common.process.worker_process import Cause, Worker, WorkerDiedError, WorkerError
from tuning.workers.job import TrainingJob
from tuning.workers.train_job import Train

POLL_SECONDS = 0.1
INTERRUPTED = "interrupted; finished trials and jobs are kept; run the same command again to resume"
# A worker's process is replaced after so much: importing TensorFlow and decoding the images again (about 10 s) then
# costs little however short jobs are, and memory holds what a few of them leave (some 60 MB each), never all of it.
MAX_TASKS, MAX_SECONDS = 8, 300.0
# Deaths of a job's workers, in a row and of one cause, after which the job fails. The attempt after two crashes would
# end like them. Somebody may kill any worker, and a session stands 20 such kills even if all meet one trial; a job must
# not go on for ever where something kills all that is large. A SIGKILL of unknown cause may be either.
MAX_DEATHS: dict[Cause, int] = {"crash": 2, "unknown": 5, "somebody": 25}


class TimeUpError(errors.InterruptedRunError):
    """A caller's time is used up; workers get `saving_seconds` to save what is under way."""

    def __init__(self, message: str, saving_seconds: float) -> None:
        super().__init__(message)
        self.saving_seconds = saving_seconds


class JobSource(Protocol):
    """Where a pool's jobs come from and their results go."""

    @property
    def is_exhausted(self) -> bool:
        """Whether there are no more jobs to begin."""

    def next_job(self, worker: int) -> TrainingJob | None:
        """The job that a worker, by its number, is to begin; None where there is none for it now."""

    def run_dir(self, job: TrainingJob) -> pathlib.Path:
        """The run folder of a job."""

    def finish(self, job: TrainingJob, outcome: dict[str, Any], seconds: float) -> None:
        """Keep the outcome of a job, as `train_job.train` returns it, and the seconds from its begin."""

    def fail(self, job: TrainingJob, error: WorkerError, seconds: float) -> None:
        """Keep the reason why a job failed."""

    def poll(self) -> None:
        """Called again and again while workers work."""


class WorkerPool:
    """A context with worker processes; at its end a training under way saves its state, for the next call.

    After a second Ctrl-C, which ends this process and with it the workers, a job that has just ended is
    complete in its run folder, and is taken from there next time. With `share_cpu` each worker computes on its share.
    Its process is replaced after `max_tasks` calls.

    A call whose worker dies is made again, which continues a training from its last checkpoint; `notify` gets a line.
    """

    def __init__(
        self,
        requests: signals.Requests,
        num_workers: int = 1,
        share_cpu: bool = False,
        max_tasks: int = MAX_TASKS,
        notify: Callable[[str], None] = print,
    ) -> None:
        self._requests, self._notify = requests, notify
        threads = max(1, cpu.count() // num_workers) if share_cpu and num_workers > 1 else 0
        limits = {"max_tasks": max_tasks, "max_seconds": MAX_SECONDS}
        self._workers = [Worker(threads=threads, **limits) for _ in range(num_workers)]
        self._running: dict[int, tuple[TrainingJob | None, float]] = {}
        self._deaths: dict[int, list[WorkerDiedError]] = {}  # of a worker, in its present call

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        end = time.perf_counter() + (error.saving_seconds if isinstance(error, TimeUpError) else math.inf)
        for number in self._running:
            self._workers[number].terminate()  # all at once: each takes a while to save
        for number, worker in enumerate(self._workers):
            worker.interrupt(end - time.perf_counter()) if number in self._running else worker.stop()

    def call(self, function: Callable[..., Any], *arguments: Any, on_poll: Callable[[], None] = lambda: None) -> Any:
        """Call a function in the first worker, which must be idle, and return its value; the errors are its `result`'s.

        A request to end raises errors.InterruptedRunError; what a training had begun is saved.
        """
        worker, self._deaths[0] = self._workers[0], []
        while True:
            worker.submit(function, *arguments)
            self._running[0] = None, time.perf_counter()
            while not worker.is_done(POLL_SECONDS):
                self._check_requests()
                on_poll()
            del self._running[0]
            try:
                return self._result(0)
            except WorkerDiedError as error:
                if not self._may_retry(0, getattr(arguments[0], "name", str(arguments[0])), error):
                    raise

    def run(self, source: JobSource, train: Train) -> None:
        """Train the jobs of a source until all have ended; errors.InterruptedRunError where a request to end came."""
        while self._running or not source.is_exhausted:
            for number in range(len(self._workers)):
                if number in self._running:
                    self._collect(number, source, train)
                elif not source.is_exhausted:
                    self._begin(number, source, train)
            source.poll()
            self._check_requests()

    def _begin(self, number: int, source: JobSource, train: Train) -> None:
        job = source.next_job(number)
        if job is not None:
            self._deaths[number] = []
            self._submit(number, job, source, train)

    def _submit(self, number: int, job: TrainingJob, source: JobSource, train: Train) -> None:
        self._workers[number].submit(train, job, source.run_dir(job))
        self._running[number] = job, time.perf_counter()

    def _collect(self, number: int, source: JobSource, train: Train) -> None:
        if not self._workers[number].is_done(POLL_SECONDS / len(self._workers)):
            return
        job, began = self._running.pop(number)
        assert job is not None
        try:
            outcome = self._result(number)
        except WorkerError as error:
            if isinstance(error, WorkerDiedError) and self._may_retry(number, job.name, error):
                self._submit(number, job, source, train)
            else:
                source.fail(job, error, time.perf_counter() - began)
        else:
            source.finish(job, outcome, time.perf_counter() - began)

    def _result(self, number: int) -> Any:
        """The value of a worker's call; a training that was interrupted in the worker alone counts as killed."""
        try:
            return self._workers[number].result()
        except errors.InterruptedRunError as error:
            if self._requests.received:
                raise
            raise WorkerDiedError("its process was asked to end", "somebody") from error

    def _may_retry(self, number: int, name: str, error: WorkerDiedError) -> bool:
        """Count a death in a worker's call, by the name of its job; whether the call is made again."""
        deaths = self._deaths[number]
        deaths.append(error)
        alike = list(itertools.takewhile(lambda death: death.cause == error.cause, reversed(deaths)))
        if len(alike) >= MAX_DEATHS[error.cause] or len(deaths) >= max(MAX_DEATHS.values()):
            return False
        self._notify(f"{name}: {error}; trying again, from its last checkpoint if there is one")
        return True

    def _check_requests(self) -> None:
        if self._requests.received:
            raise errors.InterruptedRunError(INTERRUPTED)
