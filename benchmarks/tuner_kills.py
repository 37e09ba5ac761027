"""Kill a tuner session again and again, and see that it ends as one that nobody disturbed.

    python -m benchmarks.tuner_kills --kills=20 --trials=12 --tuner=random

Two sessions with the same seed on shapes100_tiny, of a linear model: one in peace; one whose process gets SIGKILL at a
random moment of its life, again and again, until it has been killed `--kills` times before its end (its workers end
with it). Both must have the same trials with the same hyperparameters and figures, and the killed one's journal an end
for each trial once. Exit code 1 if not. Where a session is done before all kills, another one begins.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from absl import flags
from rich.progress import Progress

from pipeline import binary, errors
from tuning.journal import Journal
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
        expected = _trials(home / "undisturbed")
        with Progress() as progress:
            task, number, left = progress.add_task("kills", total=KILLS.value), 0, KILLS.value
            while left:
                name = f"killed_{number}"
                left = _disturbed(home, name, moments, 0.5 * seconds, left, lambda: progress.advance(task))
                _compare(expected, home / name)
                number += 1
    print(f"undisturbed: {len(expected)} trials, best {max(trial['objective'] for trial in expected):.4f}")
    print(f"the same after {KILLS.value} kills, of {number} sessions")


def _disturbed(
    home: pathlib.Path, name: str, moments: random.Random, most_seconds: float, left: int, count: Callable[[], None]
) -> int:
    """A session that is killed until it ends, or there are no kills left; how many there are then."""
    command = _command(home, name)
    while left and not _has_ended(home / name):
        if _was_killed_after(moments.uniform(0.0, most_seconds), command):
            left -= 1
            count()
    _finish(command)
    return left


def _compare(expected: list[dict[str, Any]], session: pathlib.Path) -> None:
    found = _trials(session)
    if found != expected:
        raise errors.FailedError("the sessions differ: " + _first_difference(expected, found))
    events = Journal(session / "journal.jsonl").events()
    ended = sorted(event["trial"] for event in events if event["event"] == "end")
    if ended != sorted(trial["id"] for trial in expected):
        raise errors.FailedError(f"the trials' ends: {', '.join(ended)}; expected each once")


def _has_ended(session: pathlib.Path) -> bool:
    return (session / "report.json").exists()


def _command(home: pathlib.Path, name: str) -> list[str]:
    return [
        *(sys.executable, "-m", "tuning.tune", f"--space={home / 'kills_space.py'}", f"--tuner={TUNER.value}"),
        *("--dataset=shapes100_tiny", f"--data_dir={home / 'data'}", f"--session_dir={home / name}"),
        *([] if TUNER.value == "hyperband" else [f"--max_trials={TRIALS.value}"]),
        "--max_epochs=4",
    ]


def _finish(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise errors.FailedError(f"the session ended with {done.returncode}: {done.stderr.strip().splitlines()[-1]}")


def _was_killed_after(seconds: float, command: list[str]) -> bool:
    """Start the session, and after so many seconds kill it; whether it had not ended by then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    if code:
        raise errors.FailedError(f"the session ended with {code}")
    return False


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
