"""Measure what a tuner session costs beyond its trainings: trials per hour, overhead and memory.

    python -m benchmarks.tuner --num_trials=40 --out=FILE.json

Sessions of a linear model on shapes100_tiny, whose trials train for about a second: the rest is the cost of the tuner.
The TensorFlow of each worker has one thread, so that a second worker has another core where there are two. Rows:
  ours/tuner/workers_N       trials an hour with N workers, the start of their processes included, on the same grid
  ours/tuner/loopback_N      the same of a chief and N workers that join it over loopback, from the first trial on
  ours/tuner/overhead/mean   seconds of a trial beyond building, tracing, training and validating its network
  ours/tuner/overhead/most   of the worst trial, the first one of a worker, which waits for the import of TensorFlow
  ours/tuner/memory/begin    peak MiB of the session's process and its workers, up to the fourth trial's end
  ours/tuner/memory/end      the same, during the last four; ratio to the row before
"""

import pathlib
import tempfile

from benchmarks.harness import cli_output, number_flags
from benchmarks.tuner import cases, rows
from pipeline.common import app, progress
from tuning.workers.job import MAX_PROCESSES

flags = app.Flags()
TRIALS = flags.DEFINE_integer("num_trials", 40, "number of trials per session", lower_bound=8)
WORKERS = flags.DEFINE_list("workers", ["1", "2"], "numbers of workers to compare; the first one is the reference")
REPEATS = flags.DEFINE_integer("repeats", 3, "number of rounds, of two sessions for each of --workers", lower_bound=1)
QUICK = flags.DEFINE_bool("quick", False, "under a minute: one round of eight trials, one worker")
cli_output.define_flags(flags)


def main() -> None:
    """Run a session for each number of workers, and publish what it took."""
    cli_output.check("tuner", ("num_trials", "workers", "repeats"))
    workers = number_flags.parse("workers", WORKERS.value, int, "1,2", high=MAX_PROCESSES)
    trials, repeats = TRIALS.value, REPEATS.value
    app.load_tensorflow()
    if QUICK.value:
        trials, workers, repeats = 8, (1,), 1
    rounds: list[cases.Round] = []
    with (
        cli_output.publishing("tuner", lambda: rows.rows(rounds)),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        cases.one_thread_each(),
    ):
        home = pathlib.Path(folder)
        source = cases.prepared(home)
        for repeat in progress.track(range(repeats), "running sessions", repeats, "rounds", in_background=False):
            path = home / f"round_{repeat}"
            rounds.append(cases.run_round(path, source, trials, workers, with_loopback=not QUICK.value))


if __name__ == "__main__":
    app.run(main, flags)
