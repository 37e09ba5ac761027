"""How far a study is: a bar over the whole on a terminal, a line a job everywhere, and an estimate of what is left."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from models.reporting import figures
from pipeline.common import durations
from tuning.studies.design import METRICS, num_steps
from tuning.studies.folder import FINISHED, StudyFolder
from tuning.studies.report import metric
from tuning.workers.job import TrainingJob

ADVANCE_SECONDS = 1.0  # between two looks into the files of the job under way


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
        # What failed is run again, so it counts as nothing.
        self._results = {job.name: folder.result(job) if folder.is_finished(job) else None for job in jobs}
        self._task = self._bar.add_task("", total=len(jobs), completed=self._num_finished(), left="")
        self._under_way: list[TrainingJob] = []
        # Of jobs under way: when they began and with how many steps done, and when they had told of how many last.
        self._began: dict[str, tuple[float, int]] = {}
        self._told: dict[str, tuple[float, int]] = {}
        self._looked = time.perf_counter()

    def __enter__(self) -> "StudyProgress":
        self._bar.start()
        for job in self._jobs:
            if self._folder.is_damaged(job):
                self._console.print(Text(f"{_title(job)}: its file is damaged, it is trained again"), soft_wrap=True)
        if self._num_finished():
            told = f"{self._num_finished()} of {len(self._jobs)} jobs are finished already, and kept"
            self._console.print(Text(told), soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, job: TrainingJob) -> None:
        """Name the jobs that are trained now, this one too."""
        self._looked = time.perf_counter()
        self._results[job.name] = None
        self._under_way.append(job)
        self._began[job.name] = self._told[job.name] = time.perf_counter(), self._folder.steps_done(job)
        titles = " and ".join(map(_title, self._under_way))
        self._bar.update(self._task, description=titles, left=self._left_in_words())

    def advance(self) -> None:
        """Show how far the jobs under way are, as their runs' files tell; may be called as often as one likes."""
        if not self._console.is_terminal or time.perf_counter() - self._looked < ADVANCE_SECONDS:
            return
        self._looked = time.perf_counter()
        done = sum(self._share_done(job) for job in self._under_way)
        self._bar.update(self._task, completed=self._num_finished() + done, left=self._left_in_words())

    def end(self, job: TrainingJob) -> None:
        """Say what came of a job, in a line."""
        result = self._results[job.name] = self._folder.result(job)
        assert result is not None
        self._under_way.remove(job)
        place = [other.name for other in self._jobs].index(job.name) + 1
        line = f"[{place}/{len(self._jobs)}] {_title(job)}: {_outcome(result)}"
        left = self._left_in_words()
        self._console.print(Text(f"{line}; {left}" if left else line), soft_wrap=True)
        self._bar.update(self._task, completed=self._num_finished(), left=left)

    def _num_finished(self) -> int:
        return sum(result is not None and result["status"] == FINISHED for result in self._results.values())

    def _left_in_words(self) -> str:
        pending = [
            (job, 1.0 - self._share_done(job) if job in self._under_way else 1.0)
            for job in self._jobs
            if self._results[job.name] is None
        ]
        found = [result for result in self._results.values() if result]
        found += [projected for job in self._under_way if (projected := self._projected(job))]
        return time_left(pending, found, self._jobs, self._num_workers)

    def _share_done(self, job: TrainingJob) -> float:
        return min(1.0, self._folder.steps_done(job) / num_steps(job))

    def _projected(self, job: TrainingJob) -> dict[str, Any] | None:
        """A job under way as if it went on like this to its end; None before its first epoch's."""
        (began, steps_before), steps_now = self._began[job.name], self._folder.steps_done(job)
        if steps_now != self._told[job.name][1]:
            self._told[job.name] = time.perf_counter(), steps_now
        told, steps = self._told[job.name]
        if steps == steps_before:
            return None
        seconds = (told - began) * num_steps(job) / (steps - steps_before)
        return {"variant": job.label, "status": FINISHED, "wall_seconds": seconds}


def time_left(
    pending: Sequence[tuple[TrainingJob, float]],
    results: Sequence[dict[str, Any]],
    jobs: Sequence[TrainingJob],
    num_workers: int = 1,
) -> str:
    """`about 12 min left`; empty where nothing is left or nothing is known.

    A job takes as long as its variant's others did, and where there is none, by its steps as long as the rest.

    Args:
      pending: jobs that have not ended, each with the share of it that is still to do.
      results: of jobs, whether they ended or are projected to.
      jobs: all of the study's.
      num_workers: how many are trained side by side.
    """
    steps = {job.label: num_steps(job) for job in jobs}
    finished = [result for result in results if result["status"] == FINISHED]
    done_steps = sum(steps[result["variant"]] for result in finished)
    if not pending or not done_steps:
        return ""
    seconds_a_step = sum(result["wall_seconds"] for result in finished) / done_steps
    seconds = 0.0
    for job, share in pending:
        own = [result["wall_seconds"] for result in finished if result["variant"] == job.label]
        seconds += share * (sum(own) / len(own) if own else num_steps(job) * seconds_a_step)
    return f"about {durations.in_words(seconds / min(num_workers, len(pending)))} left"


def _title(job: TrainingJob) -> str:
    return f"{job.label}, seed {job.train.seed}"


def _outcome(result: dict[str, Any]) -> str:
    if result["status"] != FINISHED:
        return f"failed: {result['reason']}"
    report = result["report"]
    known = {METRICS[name]: metric(report, name) for name in ("fine_accuracy", "own_coarse_accuracy")}
    told = ", ".join(f"{name} {figures.percent(value)} %" for name, value in known.items() if value is not None)
    return f"{told}, {report['train_seconds']:,.0f} s"
