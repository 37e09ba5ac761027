"""Kill a tuner session again and again, and see that it ends as one that nobody disturbed.

    python -m benchmarks.tuner_kills --kills=20 --trials=12 --tuner=random

Two sessions with the same seed on shapes100_tiny, of a linear model: one in peace; one whose process gets SIGKILL at a
random moment of its life, again and again, until it has been killed `--kills` times before its end (its workers end
with it). Both must have the same trials with the same hyperparameters and figures, and the killed one's journal an end
for each trial once. Exit code 1 if not. Where a session is done before all kills, another one begins.
"""

import pathlib
import tempfile

from absl import flags
from rich.progress import Progress

from benchmarks.tuner_kills import kill_test
from pipeline.common import app
from tuning.sessions.session import TUNERS

KILLS = flags.DEFINE_integer("kills", 20, "times that the session is killed", lower_bound=0)
TRIALS = flags.DEFINE_integer("trials", 12, "of a session; hyperband's number follows from its epochs", lower_bound=1)
TUNER = flags.DEFINE_enum("tuner", "random", TUNERS, "search algorithm")
SEED = flags.DEFINE_integer("seed", 0, "of the moments of the kills")


def main() -> None:
    """Run both sessions and compare."""
    with tempfile.TemporaryDirectory() as folder, Progress() as progress:
        task = progress.add_task("kills", total=KILLS.value)
        sessions = kill_test.Sessions(pathlib.Path(folder), TUNER.value, TRIALS.value)
        trials, number = sessions.same_after(KILLS.value, SEED.value, lambda: progress.advance(task))
    print(f"undisturbed: {len(trials)} trials, best {max(trial['objective'] for trial in trials):.4f}")
    print(f"the same after {KILLS.value} kills, of {number} sessions")


def run() -> None:
    """Start the binary."""
    app.run(main)


if __name__ == "__main__":
    run()
