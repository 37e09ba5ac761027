"""Seconds to the first step are those that a process took; one that fails is told of."""

import json
import subprocess
import sys
import threading
import time

import psutil
import pytest

from benchmarks.harness import startup_times
from pipeline.common import errors
from tests.conftest import ROOT
from tests.models.reporting import run_files

TRAINS = f"""
import json, pathlib, sys, time
time.sleep(0.3)
print("Model: linear, 1 parameter")
time.sleep(0.5)
(run_dir,) = (argument.partition("=")[2] for argument in sys.argv if argument.startswith("--run_dir="))
assert "--max_steps=1" in sys.argv
pathlib.Path(run_dir).mkdir()
pathlib.Path(run_dir, "report.json").write_text(json.dumps({ {**run_files.REPORT, "train_seconds": 100.0}!r}))
"""


def test_seconds_to_the_first_step_and_to_its_end():
    start = time.perf_counter()
    begun, ended = startup_times.first_step_s([sys.executable, "-c", TRAINS])
    assert 0.3 < begun < time.perf_counter() - start - 0.5  # at its line, not at the end of the process
    assert ended == pytest.approx(begun + 100.0)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit('error: no data')", "exit code 1: error: no data"),
        ("print('Model: x'); raise SystemExit(2)", "exit code 2: Model: x"),
        ("print('nothing to do')", "exit code 0: nothing to do"),
    ],
)
def test_training_that_makes_no_step_is_told_of(program, message):
    with pytest.raises(errors.FailedError, match=message):
        startup_times.first_step_s([sys.executable, "-c", program])


def test_training_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(startup_times, "TIMEOUT_S", 0.5)
    with pytest.raises(errors.FailedError, match="exit code -9"):
        startup_times.first_step_s([sys.executable, "-c", "import time; time.sleep(3600)"])


def test_training_under_way_is_ended_with_the_benchmark(tmp_path, press_ctrl_c):
    program = (
        "import os, pathlib, time\nprint('Model: x', flush=True)\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(3600)"
    )
    press_ctrl_c(tmp_path / "pid")
    with pytest.raises(KeyboardInterrupt):
        startup_times.first_step_s([sys.executable, "-c", program])
    assert all(thread.daemon for thread in threading.enumerate() if isinstance(thread, threading.Timer))
    child = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_help_that_fails_is_told_of():
    with pytest.raises(errors.FailedError, match=r"no\.such --help: exit code 1"):
        startup_times.help_s("no.such")


def test_binary_measures_each_kind(tiny_data_dir, tmp_path):
    out = tmp_path / "startup.json"
    command = [sys.executable, "-m", "benchmarks.startup", "--presets=linear", "--repeats=1", f"--out={out}"]
    command += ["--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds = {row["name"]: row["median"] for row in json.loads(out.read_text())["rows"]}
    assert set(seconds) == {f"ours/help/{name}" for name in startup_times.BINARIES} | {
        "ours/linear/first_step",
        "ours/linear/first_result",
    }
    assert 0 < seconds["ours/linear/first_step"] < seconds["ours/linear/first_result"]
