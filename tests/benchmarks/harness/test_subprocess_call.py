"""Calls have a process and a memory of their own, and commands end with their context."""

import os
import pathlib
import sys
import time

import psutil
import pytest

from benchmarks.harness import subprocess_call
from pipeline.common import errors
from pipeline.common.process.worker_process import RemoteCallError


@pytest.fixture(autouse=True)
def _no_tensorflow(monkeypatch):
    """Calls that do not load it: tests/benchmarks/memory and scaling have some that do."""
    monkeypatch.setattr(subprocess_call, "_quietly", do)


def do(function):
    return function()


def process_id() -> dict:
    return {"pid": os.getpid()}


def fail(text: str) -> dict:
    raise RuntimeError(text)


def allocate(gib: float) -> dict:
    return {"bytes": len(bytearray(int(gib * 2**30)))}


def wait(pid_file: pathlib.Path) -> dict:
    pid_file.write_text(str(os.getpid()))
    time.sleep(3600)
    return {}


def test_call_returns_the_value_of_another_process_that_has_ended():
    pid = subprocess_call.call(process_id)["pid"]
    assert pid != os.getpid()
    assert not psutil.pid_exists(pid)


def test_failure_names_the_function_and_the_error():
    with pytest.raises(errors.FailedError, match=r"test_subprocess_call\.fail: RuntimeError: no such thing"):
        subprocess_call.call(fail, text="no such thing")


def test_only_what_exceeds_its_limit_is_none():
    assert subprocess_call.call_within(3.0, allocate, gib=0.1) == {"bytes": int(0.1 * 2**30)}
    assert subprocess_call.call_within(3.0, allocate, gib=4.0) is None


@pytest.mark.parametrize("text", ["OOM when allocating", "could not create a primitive, in file"])
def test_errors_of_libraries_that_run_out_of_memory_are_recognised(text, monkeypatch):
    def run(*_arguments, **_limits):
        raise RemoteCallError(text)

    monkeypatch.setattr(subprocess_call, "run_in_subprocess", run)
    assert subprocess_call.call_within(8.0, fail, text=text) is None
    with pytest.raises(errors.FailedError, match=text):
        subprocess_call.call(fail, text=text)
    monkeypatch.setattr(subprocess_call, "OUT_OF_MEMORY", ())
    with pytest.raises(errors.FailedError, match=text):
        subprocess_call.call_within(8.0, fail, text=text)


def test_process_of_an_interrupted_call_has_ended_before_anything_goes_on(tmp_path, press_ctrl_c):
    pid = tmp_path / "pid"
    press_ctrl_c(pid)
    with pytest.raises(KeyboardInterrupt):
        subprocess_call.call(wait, pid_file=pid)
    assert not psutil.pid_exists(int(pid.read_text()))


def test_command_ends_with_its_context():
    with subprocess_call.started([sys.executable, "-c", "import time; time.sleep(3600)"]) as process:
        assert process.poll() is None
    assert process.returncode == -9


def test_command_that_fails_ends_with_its_last_line():
    subprocess_call.run("help", [sys.executable, "-c", ""])
    with pytest.raises(errors.FailedError, match=r"^help: exit code 1: error: no data$"):
        subprocess_call.run("help", [sys.executable, "-c", "raise SystemExit('one\\nerror: no data')"])
