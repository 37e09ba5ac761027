"""Memory against the number of augmented images: ours streams them, the study kept them; and memory over many epochs.

    python -m benchmarks.memory --out=FILE.json

Each row is a process of its own. Rows, VIEWS being augmented images an epoch:
  ours/peak/VIEWS               MiB at the most while the preset quick trains on them (--max_steps of huge ones)
  ours/steady/VIEWS             the median of the second half
  peer/study/peak/VIEWS         the study's way: its ImageDataGenerator fills one float32 array ahead of time
  ours/limit_NGiB/VIEWS         images trained on under a limit of the process's data (RLIMIT_DATA); 0 is that it died
  peer/study/limit_NGiB/VIEWS   images in the array under the limit; 0 is that it died on the way
  ours/leak                     KiB that an epoch leaves behind: slope over --epochs short epochs of 4,000 views
The study's array was made once at its full size here, which takes half of what its concatenations took. What would not
fit into this machine is not begun: its row says `predicted`.
"""

import dataclasses
import statistics
from typing import Any

import numpy as np
import psutil
from absl import flags
from rich.progress import track

from benchmarks import memory_sides, output, results
from pipeline import binary, config, errors
from pipeline.data_config import SourceConfig

config.define_flags(SourceConfig)
output.define_flags()
VIEWS = flags.DEFINE_list("views", ["40000", "400000", "600000", "6000000", "60000000"], "augmented images an epoch")
LIMITS_GIB = flags.DEFINE_list("limits_gib", ["2", "4", "8"], "GiB of a process's data")
MAX_STEPS = flags.DEFINE_integer("max_steps", 200, "of each of our trainings", lower_bound=1)
EPOCHS = flags.DEFINE_integer(
    "epochs", 100, "of 4,000 views, whose memory is compared; 0 leaves that out", lower_bound=0
)
PEERS = flags.DEFINE_bool("peers", True, "measure the study's way too")
QUICK = flags.DEFINE_bool("quick", False, "under a minute: two counts, ten steps, no limits, few epochs")

LEAK_VIEWS = 4_000
SETTLING = 0.2  # part of the epochs in which buffers and caches still fill
BYTES_A_VIEW = 32 * 32 * 3 * 4
SHARE_OF_MEMORY = 0.7  # of the machine's, that a peer may take


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured."""

    views: tuple[int, ...]
    limits_gib: tuple[float, ...]
    max_steps: int
    epochs: int
    data: dict[str, Any]


def main() -> None:
    """Measure process after process, and publish the rows."""
    output.check("memory")
    views, limits = _numbers("views", VIEWS.value, int), _numbers("limits_gib", LIMITS_GIB.value, float)
    from pipeline import prepare, prepared

    source = config.build(SourceConfig, config.given_flags())
    dataset = prepare.prepare(source)
    held_out = {"shapes100_tiny": 500}.get(dataset, 10_000)
    data = {"data_dir": str(prepared.root(source.data_dir)), "dataset": dataset, "num_validation": held_out}
    plan = Plan(views, limits, MAX_STEPS.value, EPOCHS.value, data)
    if QUICK.value:
        plan = Plan(plan.views[:2], (), 10, min(plan.epochs, 10), data)
    rows = [row for measure in track(_measures(plan), description="memory") for row in measure()]
    output.finish("memory", rows)


def _numbers(flag: str, texts: list[str], kind: type) -> tuple[Any, ...]:
    try:
        found = tuple(kind(text) for text in texts)
    except ValueError as error:
        raise errors.BadArgumentError(f"{flag}={','.join(texts)}: expected numbers") from error
    if any(number <= 0 for number in found):
        raise errors.BadArgumentError(f"{flag}={','.join(texts)}: expected numbers above 0")
    return found


def _measures(plan: Plan) -> list[Any]:
    """What is to be called, one after the other, each for its rows."""
    found: list[Any] = [lambda views=views: _ours(plan, views) for views in plan.views]
    if PEERS.value:
        found += [lambda views=views: _study(plan, views) for views in plan.views]
    for limit in plan.limits_gib:
        found.append(lambda limit=limit: _ours_limited(plan, limit))
        if PEERS.value:
            found.append(lambda limit=limit: _study_limited(plan, limit))
    return [*found, lambda: _leak(plan)] if plan.epochs else found


def _ours(plan: Plan, views: int) -> list[dict[str, Any]]:
    said = memory_sides.run("ours", {**plan.data, "views": views, "max_steps": plan.max_steps})
    assert said is not None
    return [results.single(f"ours/{key}/{views}", "MiB", round(said[f"{key}_mib"], 1)) for key in ("peak", "steady")]


def _study(plan: Plan, views: int) -> list[dict[str, Any]]:
    predicted = views * BYTES_A_VIEW
    if predicted > SHARE_OF_MEMORY * psutil.virtual_memory().total:
        return [results.single(f"peer/study/peak/{views}", "MiB", round(predicted / 2**20, 1), predicted=True)]
    said = memory_sides.run("study", {**plan.data, "views": views})
    assert said is not None
    return [results.single(f"peer/study/peak/{views}", "MiB", round(said["peak_mib"], 1), predicted=False)]


def _ours_limited(plan: Plan, limit: float) -> list[dict[str, Any]]:
    views = plan.views[-1]
    said = memory_sides.run("ours", {**plan.data, "views": views, "max_steps": plan.max_steps}, limit)
    return [results.single(f"ours/limit_{limit:g}GiB/{views}", "images", said["images"] if said else 0)]


def _study_limited(plan: Plan, limit: float) -> list[dict[str, Any]]:
    """The study's way with each number of images in turn, until it dies."""
    rows = []
    for views in plan.views:
        said = memory_sides.run("study", {**plan.data, "views": views}, limit)
        images = said["images"] if said else 0
        rows.append(results.single(f"peer/study/limit_{limit:g}GiB/{views}", "images", images))
        if not images:
            break
    return rows


def _leak(plan: Plan) -> list[dict[str, Any]]:
    views = min(LEAK_VIEWS, plan.views[0])
    said = memory_sides.run("epochs", {**plan.data, "views": views, "count": plan.epochs})
    assert said is not None
    held = said["mib"][int(SETTLING * len(said["mib"])) :]
    slope, _ = np.polyfit(range(len(held)), held, 1)
    kib = round(1024 * float(slope), 2)
    return [results.single("ours/leak", "KiB/epoch", kib, epochs=plan.epochs, median_mib=statistics.median(held))]


def run() -> None:
    """Start the binary."""
    binary.run(main)


if __name__ == "__main__":
    run()
