"""The progress of a study: a bar on a terminal, a line per job everywhere, and an estimate of the time left."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from models.reporting import figures
from pipeline.common import durations, progress
from tuning.studies.design import METRICS, num_steps
from tuning.studies.folder import FINISHED, StudyFolder
from tuning.studies.report import metric
from tuning.workers.job import TrainingJob

ADVANCE_SECONDS = 1.0


class StudyProgress:
    """A context around the running of a study's jobs."""

    def __init__(
        self, folder: StudyFolder, jobs: Sequence[TrainingJob], num_workers: int = 1, console: Console | None = None
    ) -> None:
        self._folder, self._jobs, self._num_workers = folder, jobs, num_workers
        self._console = console or Console(highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("jobs,"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        # A job that failed is run again, so its result does not count.
        self._results = {job.name: folder.result(job) if folder.is_finished(job) else None for job in jobs}
        self._stack = contextlib.ExitStack()
        self._line: progress.Task | None = None  # in a log
        self._task = self._bar.add_task("", total=len(jobs), completed=self._num_finished(), left="")
        self._running: list[TrainingJob] = []
        # (time, steps done) of the running jobs, at their begin and when their steps last changed.
        self._began: dict[str, tuple[float, int]] = {}
        self._latest: dict[str, tuple[float, int]] = {}
        self._refreshed = time.perf_counter()

    def __enter__(self) -> "StudyProgress":
        damaged = [job for job in self._jobs if self._folder.is_damaged(job)]  # before a thread is started
        self._bar.start()
        if not self._console.is_terminal:
            self._line = self._stack.enter_context(progress.task("starting", len(self._jobs), "jobs"))
            self._line.done = self._num_finished()
        for job in damaged:
            self.print(f"{_title(job)}: the result file is damaged; training again")
        if self._num_finished():
            self.print(f"{self._num_finished()} of {len(self._jobs)} jobs are already finished")
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
        self._bar.stop()

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(Text(line), soft_wrap=True)

    @contextlib.contextmanager
    def task(self, label: str) -> Iterator[None]:
        """A context of a piece of work before the jobs: the bar's label, since a terminal has one live display."""
        self._bar.update(self._task, description=label)
        with progress.task(label, is_shown=not self._console.is_terminal):
            yield
        self._bar.update(self._task, description="")

    def begin(self, job: TrainingJob) -> None:
        """Add a job to the running ones."""
        self._refreshed = time.perf_counter()
        self._results[job.name] = None
        self._running.append(job)
        self._began[job.name] = self._latest[job.name] = time.perf_counter(), self._folder.steps_done(job)
        titles = " and ".join(map(_title, self._running))
        if self._line is not None:
            self._line.label = f"training {titles}"
        self._bar.update(self._task, description=titles, left=self._time_left())

    def advance(self) -> None:
        """Take what the running jobs have done from their files, at most every ADVANCE_SECONDS."""
        if time.perf_counter() - self._refreshed < ADVANCE_SECONDS:
            return
        self._refreshed = time.perf_counter()
        done = self._num_finished() + sum(self._share_done(job) for job in self._running)
        if self._line is not None:
            self._line.done = done
        self._bar.update(self._task, completed=done, left=self._time_left())

    def end(self, job: TrainingJob) -> None:
        """Print the result of a job."""
        result = self._results[job.name] = self._folder.result(job)
        assert result is not None
        self._running.remove(job)
        place = [other.name for other in self._jobs].index(job.name) + 1
        line = f"[{place}/{len(self._jobs)}] {_title(job)}: {_outcome(result)}"
        left = self._time_left()
        self.print(f"{line}; {left}" if left else line)
        if self._line is not None:
            self._line.done = self._num_finished()
        self._bar.update(self._task, completed=self._num_finished(), left=left)

    def _num_finished(self) -> int:
        return sum(result is not None and result["status"] == FINISHED for result in self._results.values())

    def _time_left(self) -> str:
        pending = [
            (job, 1.0 - self._share_done(job) if job in self._running else 1.0)
            for job in self._jobs
            if self._results[job.name] is None
        ]
        results = [result for result in self._results.values() if result]
        results += [projected for job in self._running if (projected := self._projected(job))]
        return time_left(pending, results, self._jobs, self._num_workers)

    def _share_done(self, job: TrainingJob) -> float:
        return min(1.0, self._folder.steps_done(job) / num_steps(job))

    def _projected(self, job: TrainingJob) -> dict[str, Any] | None:
        """The result of a running job at its present speed; None before the end of its first epoch."""
        (began, steps_before), steps_now = self._began[job.name], self._folder.steps_done(job)
        if steps_now != self._latest[job.name][1]:
            self._latest[job.name] = time.perf_counter(), steps_now
        latest, steps = self._latest[job.name]
        if steps == steps_before:
            return None
        seconds = (latest - began) * num_steps(job) / (steps - steps_before)
        return {"variant": job.label, "status": FINISHED, "wall_seconds": seconds}


def time_left(
    pending: Sequence[tuple[TrainingJob, float]],
    results: Sequence[dict[str, Any]],
    jobs: Sequence[TrainingJob],
    num_workers: int = 1,
) -> str:
    """Such as `about 12 min left`; empty where nothing is left or nothing is known.

    A job takes as long as the others of its variant; without one, as long per step as those of its architecture; and
    without these, as long as the rest.

    Args:
      pending: jobs that have not ended, each with the share of it that is left.
      results: of jobs that ended, and projected ones.
      jobs: all jobs of the study.
      num_workers: jobs that are trained side by side.
    """
    variants = {job.label: job for job in jobs}
    finished = [
        (variants[result["variant"]], result["wall_seconds"]) for result in results if result["status"] == FINISHED
    ]
    if not pending or not finished:
        return ""
    seconds = sum(share * _expected_seconds(job, finished) for job, share in pending)
    return f"about {durations.in_words(seconds / min(num_workers, len(pending)))} left"


def _expected_seconds(job: TrainingJob, finished: Sequence[tuple[TrainingJob, float]]) -> float:
    same = [seconds for other, seconds in finished if other.label == job.label]
    if same:
        return sum(same) / len(same)
    alike = [pair for pair in finished if pair[0].train.architecture == job.train.architecture]
    if alike:
        return num_steps(job) * sum(seconds for _, seconds in alike) / sum(num_steps(other) for other, _ in alike)
    return sum(seconds for _, seconds in finished) / len(finished)


def _title(job: TrainingJob) -> str:
    return f"{job.label}, seed {job.train.seed}"


def _outcome(result: dict[str, Any]) -> str:
    if result["status"] != FINISHED:
        return f"failed: {result['reason']}"
    report = result["report"]
    known = {METRICS[name]: metric(report, name) for name in ("fine_accuracy", "own_coarse_accuracy")}
    accuracies = ", ".join(f"{name} {figures.percent(value)} %" for name, value in known.items() if value is not None)
    return f"{accuracies}, {report['train_seconds']:,.0f} s"
