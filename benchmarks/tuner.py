"""What a tuner session costs beyond its trainings: trials an hour, overhead, memory, and what a second worker brings.

    python -m benchmarks.tuner --num_trials=40 --out=FILE.json

Sessions of a linear model on shapes100_tiny, whose trials train for about a second: what is left is the tuner's own.
Each worker's TensorFlow has one thread, so that a second worker has a core of its own where there are two. Rows:
  ours/tuner/workers_N       trials an hour with N workers; the same grid of trials, ratio to one worker
  ours/tuner/overhead        seconds of a trial beyond building, tracing, training and validating its network; median
  ours/tuner/memory/begin    MiB of the session's process and its workers at their most, up to the fourth trial's end
  ours/tuner/memory/end      the same, during the last four; ratio to the row before
"""

import os
import pathlib
import tempfile
from typing import Any

from absl import flags

from benchmarks import output, tuner_sessions
from pipeline import binary
from tuning import worker

TRIALS = flags.DEFINE_integer("num_trials", 40, "of each session", lower_bound=8)
WORKERS = flags.DEFINE_list("workers", ["1", "2"], "numbers of workers to compare, the first one the reference")
QUICK = flags.DEFINE_bool("quick", False, "under a minute: eight trials, one worker")
output.define_flags()


def main() -> None:
    """Run a session for each number of workers, and publish what it took."""
    output.check("tuner")
    os.environ.update(dict.fromkeys(worker.THREADS, "1"))  # workers inherit it
    binary.load_tensorflow()
    trials, workers = (8, [1]) if QUICK.value else (TRIALS.value, [int(number) for number in WORKERS.value])
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        source = tuner_sessions.prepared(pathlib.Path(folder))
        for number in workers:
            measured = tuner_sessions.run(pathlib.Path(folder) / f"workers_{number}", source, trials, number)
            rows += tuner_sessions.rows(measured, number, rows)
    output.finish("tuner", rows)


def run() -> None:
    """Start the binary."""
    binary.run(main)


if __name__ == "__main__":
    run()
