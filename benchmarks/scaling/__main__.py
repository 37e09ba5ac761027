"""Measure throughput and memory by the size of the data set, the batch size and the number of threads.

    python -m benchmarks.scaling --out=FILE.json

Data sets are shapes100 with 1,000 to 1,000,000 training images, drawn into a temporary folder (some minutes and 3.3 GB
for the million). Each row has a process of its own in each round, with `peak_mib`, the highest peak of memory, and
`first_call_s`, the longest time to a first batch (or call of steps), filling the cache included. Rows, in images/s:
  ours/size/CACHE/IMAGES      training batches of 512, from a data set of IMAGES images, with --cache=CACHE
  ours/batch/B                training batches of B, cache in memory, from --batch_images images
  ours/threads/CACHE/T        batches of 512 by T threads of tf.data
  ours/train/B                whole training steps of the preset quick with batches of B
"""

import pathlib
import tempfile

from benchmarks.harness import cli_output, number_flags
from benchmarks.scaling import rows
from pipeline.common import app

flags = app.Flags()
SIZES = flags.DEFINE_list("sizes", ["1000", "10000", "100000", "1000000"], "training images of the data sets")
BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["32", "128", "512", "2048"], "numbers of images per batch")
THREADS = flags.DEFINE_list("threads", ["1", "2"], "numbers of tf.data threads")
BATCH_IMAGES = flags.DEFINE_integer(
    "batch_images", 10_000, "number of training images for --batch_sizes and --threads; one of --sizes", lower_bound=1
)
REPEATS = flags.DEFINE_integer("repeats", 3, "number of timed calls per process", lower_bound=1)
ROUNDS = flags.DEFINE_integer("rounds", 2, "number of processes per row; rows take turns", lower_bound=1)
QUICK = flags.DEFINE_bool("quick", False, "about a minute: two sizes, three calls, no training")
cli_output.define_flags(flags)


def main() -> None:
    """Measure process after process, and publish the rows."""
    cli_output.check("scaling", ("sizes", "batch_sizes", "threads", "batch_images", "repeats", "rounds"))
    sizes, batch_sizes = (number_flags.parse(flag.name, flag.value, int, "1000,10000") for flag in (SIZES, BATCH_SIZES))
    threads = number_flags.parse("threads", THREADS.value, int, "1,2", high=1000)
    repeats, rounds = REPEATS.value, ROUNDS.value
    plan = rows.Plan(sizes, batch_sizes, threads, BATCH_IMAGES.value, repeats, rounds, with_training=True)
    if QUICK.value:
        plan = rows.Plan((1000, 5000), (128,), (2,), 5000, repeats=3, rounds=1, with_training=False)
    reports: rows.Reports = {}
    with cli_output.publishing("scaling", lambda: rows.rows(plan, reports)), tempfile.TemporaryDirectory() as folder:
        rows.measure(plan, pathlib.Path(folder), reports)


if __name__ == "__main__":
    app.run(main, flags)
