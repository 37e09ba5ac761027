"""Kill a tuner session at random times, and check that it ends with the results of an undisturbed one.

    python -m benchmarks.tuner_kills --kills=20 --trials=12 --tuner=random

Two sessions of a linear model on shapes100_tiny have the same seed. One is undisturbed. The process of the other gets
SIGKILL at random times, --kills times before its end; its workers end with it. Both must have the same trials with the
same hyperparameters and results, and the journal of the killed one must end each trial once; otherwise the exit code is
1. If a session ends before all kills, another one starts. With --target=workers its workers are killed instead.
"""

import pathlib
import tempfile

from benchmarks.tuner_kills import kill_test
from pipeline.common import app, progress
from tuning.sessions.jobs import TUNERS

flags = app.Flags()
KILLS = flags.DEFINE_integer("kills", 20, "number of kills", lower_bound=0)
TRIALS = flags.DEFINE_integer(
    "trials", 12, "number of trials per session; with hyperband it follows from the epochs", lower_bound=1
)
TUNER = flags.DEFINE_enum("tuner", "random", TUNERS, "search algorithm")
TARGET = flags.DEFINE_enum("target", "session", ("session", "workers"), "processes to kill")
SEED = flags.DEFINE_integer("seed", 0, "random seed of the times of the kills", lower_bound=0)


def main() -> None:
    """Run both sessions and compare."""
    with tempfile.TemporaryDirectory() as folder, progress.task("killing sessions", KILLS.value, "kills") as task:
        sessions = kill_test.Sessions(pathlib.Path(folder), TUNER.value, TRIALS.value, TARGET.value == "workers")
        trials, number = sessions.run_kill_test(KILLS.value, SEED.value, task.advance)
    print(f"undisturbed: {len(trials)} trials, best {max(trial['objective'] for trial in trials):.4f}")
    print(f"the same after {KILLS.value} kills of the {TARGET.value}, in {number} sessions")


if __name__ == "__main__":
    app.run(main, flags)
