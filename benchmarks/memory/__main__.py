"""Measure the peak memory of training by the number of augmented images, and its growth over many epochs.

    python -m benchmarks.memory --out=FILE.json

This project streams augmented images; the original study kept them in memory. Each row is measured in a process of its
own. Rows, where VIEWS is the number of augmented images per epoch:
  ours/peak/VIEWS               peak memory in MiB while the preset quick trains on them (at most --max_steps)
  ours/steady/VIEWS             the median of the second half
  peer/study/peak/VIEWS         the original study's way: its ImageDataGenerator fills one float32 array ahead of time
  ours/limit_NGiB/VIEWS         images trained on under a limit of the process's data (RLIMIT_DATA); 0: it died
  peer/study/limit_NGiB/VIEWS   images in the array under the limit; 0: it died before
  ours/leak                     KiB an epoch: the slope over --epochs short epochs of 4,000 views; its spread is that of
                                the slopes of the whole and of either half
The study's array is allocated once at its full size, half of what its concatenations took. What would not fit into the
memory that is free is not started: its row has `predicted`.
"""

from benchmarks.harness import cli_output, number_flags
from benchmarks.harness import data as harness_data
from benchmarks.harness.results import Row
from benchmarks.memory import rows as memory_rows
from pipeline.common import app, errors, progress
from pipeline.data_config import DataConfig, SourceConfig

flags = app.Flags(SourceConfig)
cli_output.define_flags(flags)
VIEWS = flags.DEFINE_list("views", ["40000", "400000", "600000", "6000000", "60000000"], "augmented images per epoch")
LIMITS_GIB = flags.DEFINE_list("limits_gib", ["2", "4", "8"], "memory limits of a process (RLIMIT_DATA), in GiB")
MAX_STEPS = flags.DEFINE_integer("max_steps", 60, "maximum number of steps of each training", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 3, "number of trainings for each of --views", lower_bound=1)
EPOCHS = flags.DEFINE_integer(
    "epochs",
    100,
    "number of epochs, each of 4,000 views, that measure growth, at least 10; 0 disables",
    lower_bound=0,
)
PEERS = flags.DEFINE_bool("peers", True, "also measure the original study's method")
QUICK = flags.DEFINE_bool("quick", False, "about a minute: two small counts, ten steps once, no limits, no leak")


def main() -> None:
    """Measure process after process, and publish the rows."""
    cli_output.check("memory", ("views", "limits_gib", "max_steps", "repeats", "epochs"))
    views = number_flags.parse("views", VIEWS.value, int, "40000,600000")
    limits = number_flags.parse("limits_gib", LIMITS_GIB.value, float, "2,8")
    if 0 < EPOCHS.value < 10:
        raise errors.BadArgumentError(f"epochs={EPOCHS.value}: expected 10 or more, to draw a line through, or 0")
    if min(views) < DataConfig.batch_size:
        raise errors.BadArgumentError(f"views={min(views)}: expected at least one batch of {DataConfig.batch_size}")
    from pipeline.datasets import prepared

    source = harness_data.source_of_flags()
    data = {**source.source_values(), "data_dir": str(prepared.root(source.data_dir))}
    of_data = data, prepared.description(source.data_dir, source.prepared_name).image_size
    plan = memory_rows.Plan(views, limits, MAX_STEPS.value, REPEATS.value, EPOCHS.value, *of_data)
    if QUICK.value:
        plan = memory_rows.Plan((1_000, 50_000), (), 10, 1, 0, *of_data)
    rows: list[Row] = []
    failures = []
    with cli_output.publishing("memory", lambda: rows, dataset=source.shown_name):
        measures = memory_rows.measures(plan, PEERS.value)
        for measure in progress.track(measures, "measuring", len(measures), "rows", in_background=False):
            try:
                rows += measure()
            except errors.FailedError as error:  # the other processes took many minutes
                failures.append(str(error))
    if failures:
        raise errors.FailedError(f"{len(failures)} processes failed, and their rows are missing: {'; '.join(failures)}")


if __name__ == "__main__":
    app.run(main, flags)
