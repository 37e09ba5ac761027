"""Tuner sessions of a model that trains in a second, disturbed by kills and compared with an undisturbed one."""

import contextlib
import dataclasses
import json
import pathlib
import random
import subprocess
import time
from collections.abc import Callable
from typing import Any

import psutil

from benchmarks.harness import subprocess_call, tuner_sessions
from pipeline.common import errors
from tuning.sessions.journal import Journal


@dataclasses.dataclass(frozen=True)
class Sessions:
    """Sessions with the same seed in one folder, each a process."""

    home: pathlib.Path  # of the data set, the space and the sessions
    tuner: str
    max_trials: int  # of a session; Hyperband's number follows from its epochs
    kills_workers: bool = False  # rather than the sessions' own processes

    def run_kill_test(self, kills: int, seed: int, each: Callable[[], None]) -> tuple[list[dict[str, Any]], int]:
        """Run one session undisturbed, then others until they were killed `kills` times, and compare their results.

        Returns the trials of the undisturbed session, and the number of sessions that were killed. `seed` is of the
        moments of the kills; `each` is called after each one. A session that fails or differs is a FailedError.
        """
        began = time.perf_counter()
        finish(self.command("undisturbed"))
        max_seconds = 0.5 * (time.perf_counter() - began)
        expected, moments, number, left = trials(self.home / "undisturbed"), random.Random(seed), 0, kills
        while left:
            disturb = self.disturb_workers if self.kills_workers else self.disturb
            left = disturb(f"killed_{number}", moments, max_seconds, left, each)
            compare(expected, self.home / f"killed_{number}")
            number += 1
        return expected, number

    def disturb(
        self, name: str, moments: random.Random, max_seconds: float, left: int, each: Callable[[], None]
    ) -> int:
        """Kill a session until it ends or no kills are left, then finish it; returns the number of kills left."""
        while left and not (self.home / name / "report.json").exists():
            if was_killed_after(moments.uniform(0.0, max_seconds), self.command(name)):
                left -= 1
                each()
        finish(self.command(name))
        return left

    def disturb_workers(
        self, name: str, moments: random.Random, max_seconds: float, left: int, each: Callable[[], None]
    ) -> int:
        """As `disturb`, but a session's workers are killed, and it runs to its end by itself."""
        with subprocess_call.started(self.command(name), stdout=subprocess.DEVNULL) as process:
            while left and process.poll() is None:
                time.sleep(moments.uniform(0.0, max_seconds))
                if kill_workers(process.pid):
                    left -= 1
                    each()
            if code := process.wait():
                raise errors.FailedError(f"the session: exit code {code}")
        return left

    def command(self, name: str) -> list[str]:
        """The command that starts or continues a session."""
        return tuner_sessions.command(self.home / name, str(self.home / "data"), self.tuner, self.max_trials)


def finish(command: list[str]) -> None:
    """Run a session to its end."""
    subprocess_call.run("the session", command)


def was_killed_after(seconds: float, command: list[str]) -> bool:
    """Start a session and kill it after `seconds`; whether it was still running, or a FailedError if it had failed."""
    with subprocess_call.started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return True
    if code:
        raise errors.FailedError(f"the session: exit code {code}")
    return False


def kill_workers(session_pid: int) -> bool:
    """Kill the workers of a session's process; whether there were any."""
    killed = False
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(session_pid).children():
            if "--multiprocessing-fork" in child.cmdline():
                child.kill()
                killed = True
    return killed


def trials(session: pathlib.Path) -> list[dict[str, Any]]:
    """The fields of the trials in a session's report that must not depend on kills."""
    report = json.loads((session / "report.json").read_text(encoding="utf-8"))
    names = ("id", "status", "hyperparameters", "objective", "fine", "coarse", "epochs")
    return [{name: trial[name] for name in names} for trial in report["trials"]]


def compare(expected: list[dict[str, Any]], session: pathlib.Path) -> None:
    """Check that a session has the expected trials, and that each ended once; else a FailedError."""
    actual = trials(session)
    if actual != expected:
        raise errors.FailedError("the sessions differ: " + _first_difference(expected, actual))
    events = Journal(session / "journal.jsonl").events()
    ended = sorted(event["trial"] for event in events if event["event"] == "end")
    if ended != sorted(trial["id"] for trial in expected):
        raise errors.FailedError(f"the trials' ends: {', '.join(ended)}; expected each once")


def _first_difference(expected: list[dict[str, Any]], actual: list[dict[str, Any]]) -> str:
    if len(expected) != len(actual):
        return f"{len(expected)} trials and {len(actual)}"
    return next(f"{one} and {two}" for one, two in zip(expected, actual, strict=True) if one != two)
