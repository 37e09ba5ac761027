"""Tuner sessions of a model that trains in a second, killed at random moments, and compared with one left in peace."""

import dataclasses
import json
import pathlib
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.harness import subprocess_call
from pipeline.common import errors
from tuning.sessions.journal import Journal

SPACE = """
BASE = {"preset": "linear", "num_validation": 500, "batch_size": 100, "precision": "float32"}


def space(hp):
    return {
        "learning_rate": hp.Choice("learning_rate", [1e-4, 3e-4, 1e-3, 3e-3]),
        "coarse_loss_weight": hp.Choice("coarse_loss_weight", [0.25, 0.5, 1.0]),
        "pixel_scaling": hp.Choice("pixel_scaling", ["standardise", "unit"]),
    }
"""


@dataclasses.dataclass(frozen=True)
class Sessions:
    """Sessions with the same seed in one folder, each a process.

    Args:
      home: folder for the data set, the space and the sessions.
      tuner: search algorithm.
      max_trials: of a session; Hyperband's number follows from its epochs.
    """

    home: pathlib.Path
    tuner: str
    max_trials: int

    def same_after(self, kills: int, seed: int, count: Callable[[], None]) -> tuple[list[dict[str, Any]], int]:
        """Run a session in peace, then others that are killed so many times in all, each of which must end as it.

        Args:
          kills: how many.
          seed: of their moments.
          count: called after each.

        Returns:
          The trials of the session in peace, and the number of those that were killed.

        Raises:
          errors.FailedError: a session fails, or ends otherwise.
        """
        (self.home / "kills_space.py").write_text(SPACE, encoding="utf-8")
        began = time.perf_counter()
        finish(self.command("undisturbed"))
        most_seconds = 0.5 * (time.perf_counter() - began)
        expected, moments, number, left = trials(self.home / "undisturbed"), random.Random(seed), 0, kills
        while left:
            left = self.disturb(f"killed_{number}", moments, most_seconds, left, count)
            compare(expected, self.home / f"killed_{number}")
            number += 1
        return expected, number

    def disturb(
        self, name: str, moments: random.Random, most_seconds: float, left: int, count: Callable[[], None]
    ) -> int:
        """Kill a session until it ends, or there are no kills left; how many there are then."""
        while left and not (self.home / name / "report.json").exists():
            if was_killed_after(moments.uniform(0.0, most_seconds), self.command(name)):
                left -= 1
                count()
        finish(self.command(name))
        return left

    def command(self, name: str) -> list[str]:
        """The arguments that begin or continue a session."""
        return [
            *(sys.executable, "-m", "tuning.tune", f"--space={self.home / 'kills_space.py'}", f"--tuner={self.tuner}"),
            *("--dataset=shapes100_tiny", f"--data_dir={self.home / 'data'}", f"--session_dir={self.home / name}"),
            *([] if self.tuner == "hyperband" else [f"--max_trials={self.max_trials}"]),
            "--max_epochs=4",
        ]


def finish(command: list[str]) -> None:
    """Run a session to its end.

    Raises:
      errors.FailedError: it fails.
    """
    done = subprocess_call.run_to_end(command)
    if done.returncode:
        raise errors.FailedError(f"the session ended with {done.returncode}: {subprocess_call.last_words(done.stderr)}")


def was_killed_after(seconds: float, command: list[str]) -> bool:
    """Start a session, and after so many seconds kill it; whether it had not ended by then.

    Raises:
      errors.FailedError: it fails by itself.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    finally:
        process.kill()
        process.wait()
    if code:
        raise errors.FailedError(f"the session ended with {code}")
    return False


def trials(session: pathlib.Path) -> list[dict[str, Any]]:
    """Of a session's report: what must not depend on kills."""
    report = json.loads((session / "report.json").read_text(encoding="utf-8"))
    names = ("id", "status", "hyperparameters", "objective", "fine", "coarse", "epochs")
    return [{name: trial[name] for name in names} for trial in report["trials"]]


def compare(expected: list[dict[str, Any]], session: pathlib.Path) -> None:
    """See that a session has the trials that are expected, and that each ended once.

    Raises:
      errors.FailedError: it has not.
    """
    found = trials(session)
    if found != expected:
        raise errors.FailedError("the sessions differ: " + _first_difference(expected, found))
    events = Journal(session / "journal.jsonl").events()
    ended = sorted(event["trial"] for event in events if event["event"] == "end")
    if ended != sorted(trial["id"] for trial in expected):
        raise errors.FailedError(f"the trials' ends: {', '.join(ended)}; expected each once")


def _first_difference(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> str:
    if len(expected) != len(found):
        return f"{len(expected)} trials and {len(found)}"
    return next(f"{one} and {two}" for one, two in zip(expected, found, strict=True) if one != two)
