"""The rows of `benchmarks.scaling`: which processes are run, and what they say."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from rich.progress import Progress

from benchmarks.harness import results, subprocess_call
from benchmarks.harness.timing import Timing
from benchmarks.scaling import cases
from pipeline.common import errors

BATCH_SIZE = 512  # where it is not what is varied
FEWEST = {"memory": 400_000, "none": 40_000}  # images a call: half a second or so
TRAINED = 4096  # images a call


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured; see `benchmarks.scaling`.

    Raises:
      errors.BadArgumentError: data sets or batches of these sizes cannot be made.
    """

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
    """One process: the row it makes, the function that it calls, on the data set of so many images."""

    name: str
    function: subprocess_call.Function
    num_images: int
    given: dict[str, Any]


def measure(plan: Plan, folder: pathlib.Path, said: dict[str, list[dict[str, Any]]]) -> None:
    """Prepare the data sets in a folder, and run every job of the plan in each round.

    Args:
      plan: what is measured.
      folder: an empty one.
      said: what each job's processes said, by the job's name; it grows with every process.
    """
    todo = jobs(plan)
    with Progress(auto_refresh=False) as progress:  # no thread of its own beside what is timed
        task = progress.add_task("scaling", total=len(plan.sizes) + plan.rounds * len(todo))
        for size in plan.sizes:
            (folder / str(size)).mkdir()
            subprocess_call.call(cases.prepare, {"data_dir": str(folder / str(size)), "num_images": size})
            progress.update(task, advance=1, refresh=True)
        for job in todo * plan.rounds:
            given = {"data_dir": str(folder / str(job.num_images)), **job.given}
            answer = subprocess_call.call(job.function, given)  # before there is a row of it
            said.setdefault(job.name, []).append(answer)
            progress.update(task, advance=1, refresh=True)


def jobs(plan: Plan) -> list[Job]:
    """Every process of a plan, in the order of its rows."""

    def fed(name: str, num_images: int, cache: str = "memory", batch_size: int = BATCH_SIZE, threads: int = 0) -> Job:
        given = {"cache": cache, "batch_size": batch_size, "threads": threads, "repeats": plan.repeats}
        # Whole passes, and enough of them to be timed: less would be what waits in buffers.
        count = max(num_images, FEWEST[cache] // num_images * num_images)
        return Job(name, cases.feed, num_images, {**given, "num_images": count})

    found = [fed(f"ours/size/{cache}/{size}", size, cache) for cache in ("memory", "none") for size in plan.sizes]
    base = plan.batch_images
    found += [fed(f"ours/batch/{size}", base, batch_size=size) for size in plan.batch_sizes]
    found += [
        fed(f"ours/threads/{cache}/{count}", base, cache, threads=count)
        for cache in ("memory", "none")
        for count in plan.threads
    ]
    if plan.with_training:
        found += [
            Job(
                f"ours/train/{size}",
                cases.train,
                base,
                {"batch_size": size, "num_images": max(size, TRAINED), "repeats": plan.repeats},
            )
            for size in plan.batch_sizes
        ]
    return found


def rows(plan: Plan, said: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """A row of every job that has said something."""
    return [row(job, said[job.name]) for job in jobs(plan) if job.name in said]


def row(job: Job, said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a job's processes said, a process a round, as a row: all their calls, the slowest first one, the most held.

    Processes differ more than the calls of one of them do, by where their memory lies, so the spread is over both.
    """
    rates = tuple(rate for one in said for rate in one["rates"])
    timed = Timing(job.name, max(one["first_s"] for one in said), rates)
    peak_mib = round(max(one["peak_mib"] for one in said), 1)
    return results.row(timed, "images/s", batch_size=job.given["batch_size"], processes=len(said), peak_mib=peak_mib)
