"""Kill a tuner session again and again, and see that it ends as one that nobody disturbed.

    python -m benchmarks.tuner_kills --kills=20 --trials=12 --tuner=random

Two sessions with the same seed on shapes100_tiny, of a linear model: one in peace; one whose whole process group gets
SIGKILL at random moments, `--kills` times, and is called again each time. Both must have the same trials with the same
hyperparameters and figures, each trained to its end once. Exit code 1 if not.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from absl import flags
from rich.progress import track

from pipeline import binary, errors
from tuning.session import TUNERS

KILLS = flags.DEFINE_integer("kills", 20, "times that the session is killed", lower_bound=0)
TRIALS = flags.DEFINE_integer("trials", 12, "of a session; hyperband's number follows from its epochs", lower_bound=1)
TUNER = flags.DEFINE_enum("tuner", "random", TUNERS, "search algorithm")
SEED = flags.DEFINE_integer("seed", 0, "of the moments of the kills")

SPACE = """
BASE = {"preset": "linear", "num_validation": 500, "batch_size": 100, "precision": "float32"}


def space(hp):
    return {
        "learning_rate": hp.Choice("learning_rate", [1e-4, 3e-4, 1e-3, 3e-3]),
        "coarse_loss_weight": hp.Choice("coarse_loss_weight", [0.25, 0.5, 1.0]),
        "pixel_scaling": hp.Choice("pixel_scaling", ["standardise", "unit"]),
    }
"""


def main() -> None:
    """Run both sessions and compare."""
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        (home / "kills_space.py").write_text(SPACE, encoding="utf-8")
        began = time.perf_counter()
        _finish(_command(home, "undisturbed"))
        seconds = time.perf_counter() - began
        moments = random.Random(SEED.value)
        killed = _command(home, "killed")
        for _ in track(range(KILLS.value), description="kills"):
            _killed_after(moments.uniform(0.0, 0.6 * seconds), killed)
        _finish(killed)
        expected, found = (_trials(home / name) for name in ("undisturbed", "killed"))
    for name, trials in (("undisturbed", expected), ("killed", found)):
        print(f"{name}: {len(trials)} trials, best {max(trial['objective'] for trial in trials):.4f}")
    if found != expected:
        raise errors.FailedError("the sessions differ: " + _first_difference(expected, found))
    print(f"the same after {KILLS.value} kills")


def _command(home: pathlib.Path, name: str) -> list[str]:
    return [
        *(sys.executable, "-m", "tuning.tune", f"--space={home / 'kills_space.py'}", f"--tuner={TUNER.value}"),
        *("--dataset=shapes100_tiny", f"--data_dir={home / 'data'}", f"--session_dir={home / name}"),
        *(f"--max_trials={TRIALS.value}", "--max_epochs=4"),
    ]


def _finish(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise errors.FailedError(f"the session ended with {done.returncode}: {done.stderr.strip().splitlines()[-1]}")


def _killed_after(seconds: float, command: list[str]) -> None:
    """Start the session, and after so many seconds kill it and every process that it has started."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _trials(session: pathlib.Path) -> list[dict[str, Any]]:
    """Of a session's report: what must not depend on kills."""
    report = json.loads((session / "report.json").read_text(encoding="utf-8"))
    names = ("id", "status", "hyperparameters", "objective", "fine", "coarse", "epochs")
    return [{name: trial[name] for name in names} for trial in report["trials"]]


def _first_difference(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> str:
    if len(expected) != len(found):
        return f"{len(expected)} trials and {len(found)}"
    return next(f"{one} and {two}" for one, two in zip(expected, found, strict=True) if one != two)


def run() -> None:
    """Start the binary."""
    binary.run(main)


if __name__ == "__main__":
    run()
