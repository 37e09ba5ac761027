"""A pool of worker processes that train the jobs of a source, one job a worker at a time."""

import pathlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from models.training import signals
from pipeline.common import cpu, errors
from tuning.workers.job import TrainingJob
from tuning.workers.train_job import Train
from tuning.workers.worker_process import Worker, WorkerError

POLL_SECONDS = 0.1
INTERRUPTED = "interrupted; what has ended is kept, and the same command goes on from there"
# A worker's process is replaced after so much: importing TensorFlow and decoding the images again (about 10 s) then
# costs little however short jobs are, and memory holds what a few of them leave (some 60 MB each), never all of it.
MAX_TASKS, MAX_SECONDS = 8, 300.0


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

    After a second signal of `requests`, which ends this process and with it the workers, a job that has just ended is
    complete in its run folder, and is taken from there next time. With `share_cpu` each worker computes on its share.
    """

    def __init__(self, requests: signals.Requests, num_workers: int = 1, share_cpu: bool = False) -> None:
        self._requests = requests
        threads = max(1, cpu.count() // num_workers) if share_cpu and num_workers > 1 else 0
        limits = {"max_tasks": MAX_TASKS, "max_seconds": MAX_SECONDS}
        self._workers = [Worker(threads=threads, **limits) for _ in range(num_workers)]
        self._running: dict[int, tuple[TrainingJob | None, float]] = {}

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *exception: object) -> None:
        for number, worker in enumerate(self._workers):
            worker.interrupt() if number in self._running else worker.stop()

    def call(self, function: Callable[..., Any], *arguments: Any, on_poll: Callable[[], None] = lambda: None) -> Any:
        """Call a function in the first worker, which must be idle, and return its value; the errors are its `result`'s.

        A request to end raises errors.InterruptedRunError; what a training had begun is saved.
        """
        worker = self._workers[0]
        worker.submit(function, *arguments)
        self._running[0] = None, time.perf_counter()
        while not worker.is_done(POLL_SECONDS):
            self._check_requests()
            on_poll()
        del self._running[0]
        return worker.result()

    def run(self, source: JobSource, train: Train) -> None:
        """Train the jobs of a source until all have ended; errors.InterruptedRunError where a request to end came."""
        while self._running or not source.is_exhausted:
            for number in range(len(self._workers)):
                if number in self._running:
                    self._collect(number, source)
                elif not source.is_exhausted:
                    self._begin(number, source, train)
            source.poll()
            self._check_requests()

    def _begin(self, number: int, source: JobSource, train: Train) -> None:
        job = source.next_job(number)
        if job is None:
            return
        began = time.perf_counter()
        try:
            self._workers[number].submit(train, job, source.run_dir(job))
        except WorkerError as error:
            source.fail(job, error, time.perf_counter() - began)
        else:
            self._running[number] = job, began

    def _collect(self, number: int, source: JobSource) -> None:
        if not self._workers[number].is_done(POLL_SECONDS / len(self._workers)):
            return
        job, began = self._running.pop(number)
        assert job is not None
        try:
            outcome = self._workers[number].result()
        except WorkerError as error:
            source.fail(job, error, time.perf_counter() - began)
        else:
            source.finish(job, outcome, time.perf_counter() - began)

    def _check_requests(self) -> None:
        if self._requests.received:
            raise errors.InterruptedRunError(INTERRUPTED)
