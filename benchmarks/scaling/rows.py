"""The rows of `benchmarks.scaling`: which processes are run, and what they report."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness import results, subprocess_call
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Timing
from benchmarks.scaling import cases
from pipeline.common import errors, progress

BATCH_SIZE = 512  # of rows that do not vary it
MIN_IMAGES = {"memory": 400_000, "none": 40_000}  # in a call: half a second or so
TRAINED_IMAGES = 4096  # in a call


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured; BadArgumentError where data sets or batches of these sizes cannot be made."""

    sizes: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    threads: tuple[int, ...]
    batch_images: int
    repeats: int
    rounds: int
    with_training: bool

    def __post_init__(self) -> None:
        wrong = [size for size in self.sizes if size % cases.CHUNK or size < BATCH_SIZE]
        if wrong:
            raise errors.BadArgumentError(f"sizes={wrong[0]}: expected a multiple of {cases.CHUNK}, from 1000 on")
        if self.batch_images not in self.sizes:
            raise errors.BadArgumentError(
                f"batch_images={self.batch_images}: expected one of the sizes, {', '.join(map(str, self.sizes))}"
            )
        if max(self.batch_sizes) > self.batch_images:
            raise errors.BadArgumentError(
                f"batch_sizes={max(self.batch_sizes)}: expected at most the {self.batch_images} images of batch_images"
            )


@dataclasses.dataclass(frozen=True)
class Job:
    """One process of a round, which calls a function; its row has these labels."""

    labels: Labels
    function: subprocess_call.Function
    num_images: int  # of the data set
    arguments: dict[str, Any]  # of the call, without the folder of the data set


Reports = dict[str, list[dict[str, Any]]]  # the results of the processes of each job, by its row's name


def measure(plan: Plan, folder: pathlib.Path, reports: Reports) -> None:
    """Prepare the data sets in an empty folder, and run every job of the plan in each round; `reports` grows."""
    calls = [functools.partial(_prepare, folder / str(size), size) for size in plan.sizes]
    calls += [functools.partial(_measure, job, folder, reports) for job in jobs(plan) * plan.rounds]
    for call in progress.track(calls, "measuring", len(calls), "processes", in_background=False):
        call()


def _prepare(folder: pathlib.Path, num_images: int) -> None:
    folder.mkdir()
    subprocess_call.call(cases.prepare, data_dir=str(folder), num_images=num_images)


def _measure(job: Job, folder: pathlib.Path, reports: Reports) -> None:
    data_dir = str(folder / str(job.num_images))
    report = subprocess_call.call(job.function, data_dir=data_dir, **job.arguments)  # first: a row needs a report
    reports.setdefault(job.labels.name, []).append(report)


def jobs(plan: Plan) -> list[Job]:
    """The jobs of a round of a plan, in the order of its rows."""
    base, caches = plan.batch_images, ("memory", "none")
    size, batch, threads = "ours/size/{cache}/{num_images}", "ours/batch/{batch_size}", "ours/threads/{cache}/{threads}"
    return [
        *(_loading(plan, size, "size", images, cache=cache) for cache in caches for images in plan.sizes),
        *(_loading(plan, batch, "batch", base, batch_size=images) for images in plan.batch_sizes),
        *(
            _loading(plan, threads, "threads", base, cache=cache, threads=count)
            for cache in caches
            for count in plan.threads
        ),
        *(_training(plan, images) for images in plan.batch_sizes if plan.with_training),
    ]


def _loading(plan: Plan, template: str, kind: str, num_images: int, **varied: Any) -> Job:
    settings = {"cache": "memory", "batch_size": BATCH_SIZE, **varied}
    labels = Labels.of(template, kind, num_images=num_images, **settings)
    # Whole passes, and enough of them to be timed: fewer images could come out of the buffers.
    count = max(num_images, MIN_IMAGES[settings["cache"]] // num_images * num_images)
    arguments = {"threads": 0, **settings, "num_images": count, "repeats": plan.repeats}
    return Job(labels, cases.load, num_images, arguments)


def _training(plan: Plan, batch_size: int) -> Job:
    base = plan.batch_images
    labels = Labels.of("ours/train/{batch_size}", "train", batch_size=batch_size, num_images=base, recipe="quick")
    arguments = {"batch_size": batch_size, "num_images": max(batch_size, TRAINED_IMAGES), "repeats": plan.repeats}
    return Job(labels, cases.train, base, arguments)


def rows(plan: Plan, reports: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[results.Row]:
    """The rows of the jobs that have a report."""
    return [row(job, reports[job.labels.name]) for job in jobs(plan) if job.labels.name in reports]


def row(job: Job, reports: Sequence[Mapping[str, Any]]) -> results.Row:
    """The row of a job: the rates of all calls of all its processes, the slowest first call, and the highest peak.

    Processes differ more than the calls of one of them, by where their memory lies, so the spread is over both.
    """
    rates = tuple(rate for report in reports for rate in report["rates"])
    timed = Timing(job.labels, max(report["first_s"] for report in reports), rates)
    peak_mib = round(max(report["peak_mib"] for report in reports), 1)
    return results.timed(timed, processes=len(reports), peak_mib=peak_mib)
