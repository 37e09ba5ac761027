"""A worker answers, reports what went wrong, and never outlives its parent."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from pipeline.common import errors
from tests.conftest import ROOT
from tuning.workers.worker_process import CallError, DiedError, RecycledWorker, Worker


@pytest.fixture
def worker():
    with Worker() as worker:
        yield worker


def test_worker_answers_from_another_process_again_and_again(worker):
    for _ in range(2):
        worker.call(os.getpid)
        assert worker.answer() == worker.pid != os.getpid()


def test_worker_ends_with_its_context(worker):
    worker.stop()
    assert not psutil.pid_exists(worker.pid)


def test_what_a_call_raises_is_one_line_with_its_place_apart(worker):
    worker.call(int, "x\ny")
    with pytest.raises(CallError, match=r"^ValueError: invalid literal for int\(\) with base 10: 'x\\ny'$") as caught:
        worker.answer()
    assert "Traceback" in caught.value.trace
    assert caught.value.kind == "ValueError"
    worker.call(int, "3")
    assert worker.answer() == 3


def test_killed_worker_is_told_by_its_signal(worker):
    worker.call(time.sleep, 60)
    assert not worker.answers_within(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(DiedError, match=r"killed by SIGKILL \(out of memory\?\)"):
        worker.answer()


def test_worker_that_leaves_is_told_by_its_exit_code(worker):
    worker.call(os._exit, 7)
    with pytest.raises(DiedError, match="exit code 7"):
        worker.answer()


def test_interrupt_ends_what_saves_nothing(worker):
    worker.call(time.sleep, 60)
    worker.interrupt()
    with pytest.raises(DiedError, match="SIGTERM"):
        worker.answer()


def test_terminals_ctrl_c_passes_a_worker_by(worker):
    worker.call(os.getpgrp)
    assert worker.answer() == worker.pid  # a group of its own


def test_own_errors_keep_their_words(worker):
    worker.call(_refuse)
    with pytest.raises(CallError, match=r"^batch_size=0: expected 1$"):
        worker.answer()


def _refuse():
    raise errors.BadArgumentError("batch_size=0: expected 1")


def test_worker_ends_when_its_parent_is_killed():
    code = (
        "import time; from tuning.workers.worker_process import Worker; "
        "w = Worker(); w.call(time.sleep, 60); print(w.pid, flush=True)"
    )
    command = [sys.executable, "-c", f"{code}; time.sleep(60)"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.5)
        assert child.is_running()
        parent.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        child.wait(30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def recycled():
    worker = RecycledWorker()
    yield worker
    worker.stop()


def processes_of_three_calls(recycled) -> list[int]:
    found = []
    for _ in range(3):
        recycled.call(os.getpid)
        found.append(recycled.answer())
    return found


@pytest.mark.parametrize(
    ("limits", "num_processes"), [({}, 1), ({"SECONDS": 0.0}, 3), ({"CALLS": 1}, 3), ({"CALLS": 2}, 2)]
)
def test_recycled_worker_is_begun_anew_when_it_has_worked_its_time(recycled, monkeypatch, limits, num_processes):
    for name, value in limits.items():
        monkeypatch.setattr(RecycledWorker, name, value)
    assert len(set(processes_of_three_calls(recycled))) == num_processes


def test_recycled_worker_that_died_is_begun_anew(recycled):
    recycled.call(os._exit, 7)
    with pytest.raises(DiedError, match="exit code 7"):
        recycled.answer()
    recycled.call(int, "5")
    assert recycled.answer() == 5


def test_interrupted_worker_is_gone_and_can_be_called_again(recycled):
    recycled.call(time.sleep, 60)
    began = time.perf_counter()
    recycled.interrupt()
    assert time.perf_counter() - began < 30
    recycled.call(int, "5")
    assert recycled.answer() == 5
