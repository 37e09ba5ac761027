"""What the kill test compares, and which kills it counts."""

import json
import random
import subprocess
import sys

import psutil
import pytest

from benchmarks.harness import subprocess_call
from benchmarks.tuner_kills import kill_test
from pipeline.common import errors
from tests.conftest import ROOT

TRIALS = [{"id": str(number), "objective": 0.1 * number} for number in range(3)]


def session(path, trials=TRIALS, ends=("0", "1", "2")):
    path.mkdir()
    names = ("status", "hyperparameters", "fine", "coarse", "epochs")
    (path / "report.json").write_text(json.dumps({"trials": [dict.fromkeys(names) | trial for trial in trials]}))
    events = [{"event": "end", "trial": trial, "spent_s": 1.0} for trial in ends]
    (path / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_same_sessions_are_the_same(tmp_path):
    expected = kill_test.trials(session(tmp_path / "one"))
    kill_test.compare(expected, session(tmp_path / "two", ends=("2", "0", "1")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": TRIALS[:2]}, "3 trials and 2"),
        ({"trials": [*TRIALS[:2], {"id": "2", "objective": 0.5}]}, r"0\.2.* and .*0\.5"),
        ({"ends": ("0", "1", "1", "2")}, "the trials' ends: 0, 1, 1, 2; expected each once"),
    ],
)
def test_lost_changed_and_repeated_trials_are_found(tmp_path, changes, message):
    expected = kill_test.trials(session(tmp_path / "one"))
    with pytest.raises(errors.FailedError, match=message):
        kill_test.compare(expected, session(tmp_path / "two", **changes))


def test_only_kills_before_the_end_count(tmp_path, monkeypatch):
    """Sessions of three calls: the first two are killed, the third one ends first."""
    outcomes, counted = iter([True, True, False, True]), []

    def killed_after(seconds, command):
        was_killed = next(outcomes)
        if not was_killed:
            session(tmp_path / "one")
        return was_killed

    monkeypatch.setattr(kill_test, "was_killed_after", killed_after)
    monkeypatch.setattr(kill_test, "finish", lambda command: None)
    sessions = kill_test.Sessions(tmp_path, "random", 3)
    left = sessions.disturb("one", random.Random(0), 1.0, 5, lambda: counted.append(1))
    assert (left, len(counted)) == (3, 2)


def test_workers_of_a_session_are_killed_and_nothing_else():
    code = "import time; from tuning.workers.worker_process import Worker; w = Worker(); "
    code += (
        "w.submit(time.sleep, 0); w.result(); "  # until then it may be a fork that has the command line of its parent
    )
    code += "w.submit(time.sleep, 3600); print(w.pid, flush=True); w.result()"
    with subprocess_call.started([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as process:
        worker = psutil.Process(int(process.stdout.readline()))
        assert kill_test.kill_workers(process.pid)
        assert process.wait() == 1  # WorkerDiedError
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
