"""A worker answers, reports what went wrong, and never outlives its parent."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time

import psutil
import pytest

from pipeline.common import errors
from pipeline.common.process import signals
from pipeline.common.process.worker_process import RemoteCallError, Worker, WorkerDiedError, run_in_subprocess, wait
from tests.conftest import ROOT

REAL_TIME = signal.SIGRTMIN + 1


@pytest.fixture
def worker():
    with Worker() as worker:
        yield worker


def test_worker_answers_from_another_process_again_and_again(worker):
    for _ in range(2):
        worker.submit(os.getpid)
        assert worker.result() == worker.pid != os.getpid()


def test_worker_ends_with_its_context():
    with Worker() as worker:
        worker.submit(time.sleep, 3600)
        pid = worker.pid
    assert not psutil.pid_exists(pid)


def test_what_a_call_raises_is_one_line_with_its_place_apart(worker):
    worker.submit(int, "x\ny")
    with pytest.raises(
        RemoteCallError, match=r"^ValueError: invalid literal for int\(\) with base 10: 'x\\ny'$"
    ) as caught:
        worker.result()
    assert "Traceback" in caught.value.trace
    assert caught.value.type_name == "ValueError"
    worker.submit(int, "3")
    assert worker.result() == 3


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGKILL, r"SIGKILL \(out of memory\?\)"), (signal.SIGTERM, "SIGTERM"), (REAL_TIME, f"signal {REAL_TIME}")],
)
def test_killed_worker_is_told_by_its_signal(worker, monkeypatch, number, expected):
    monkeypatch.setattr(signals, "REPEAT_SECONDS", 0.0)
    worker.submit(time.sleep, 3600)
    assert not worker.is_done(0.01)
    os.kill(worker.pid, number)
    with pytest.raises(WorkerDiedError, match=f"killed by {expected}"):
        worker.result()


def test_signal_that_reaches_a_worker_before_its_parent_is_awaited_there(worker, monkeypatch):
    """As batch systems send theirs: to each process of a job, in any order."""

    def sleep(seconds):
        raise KeyboardInterrupt  # as the parent's handler does

    worker.submit(os.kill, 0, signal.SIGUSR1)  # its process group is its own
    assert worker.is_done(None)
    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        worker.result()


def test_killed_worker_leaves_no_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Worker() as worker:
        worker.submit(tempfile.mkdtemp)
        path = worker.result()
        assert os.path.exists(path)
        assert path.startswith(str(tmp_path))
        os.kill(worker.pid, signal.SIGKILL)
    assert os.listdir(tmp_path) == []


def test_worker_that_leaves_is_told_by_its_exit_code(worker):
    worker.submit(os._exit, 7)
    with pytest.raises(WorkerDiedError, match="exit code 7"):
        worker.result()


def test_terminals_ctrl_c_passes_a_worker_by(worker):
    worker.submit(os.getpgrp)
    assert worker.result() == worker.pid  # a group of its own


def test_own_errors_keep_their_words(worker):
    worker.submit(_refuse)
    with pytest.raises(RemoteCallError, match=r"^batch_size=0: expected 1$"):
        worker.result()


def _refuse():
    raise errors.BadArgumentError("batch_size=0: expected 1")


def test_worker_ends_when_its_parent_is_killed():
    code = (
        "import time; from pipeline.common.process.worker_process import Worker; "
        "w = Worker(); w.submit(time.sleep, 3600); print(w.pid, flush=True)"
    )
    command = [sys.executable, "-c", f"{code}; time.sleep(3600)"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        child.wait(600)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_new_process_follows_when_the_old_one_has_worked_its_share():
    for limits, num_processes in (({}, 1), ({"max_seconds": 0.0}, 3), ({"max_tasks": 1}, 3), ({"max_tasks": 2}, 2)):
        pids = set()
        with Worker(**limits) as worker:
            for _ in range(3):
                worker.submit(os.getpid)
                pids.add(worker.result())
        assert len(pids) == num_processes, limits


def test_new_process_follows_one_that_died(worker):
    worker.submit(os._exit, 7)
    with pytest.raises(WorkerDiedError, match="exit code 7"):
        worker.result()
    worker.submit(int, "5")
    assert worker.result() == 5


class FailsToLoad:
    def __reduce__(self):
        return int, ("x",)


def test_function_that_cannot_be_imported_is_an_error_and_no_death(worker):
    worker.submit(FailsToLoad())
    with pytest.raises(RemoteCallError, match="ValueError: invalid literal"):
        worker.result()
    worker.submit(os.getpid)
    assert worker.result() == worker.pid


def test_interrupted_worker_is_gone_and_can_be_called_again(worker):
    worker.submit(time.sleep, 3600)
    pid = worker.pid
    worker.interrupt()
    assert not psutil.pid_exists(pid)
    worker.submit(int, "5")
    assert worker.result() == 5


def test_memory_limit_ends_the_call_alone():
    assert run_in_subprocess(_allocate, 2**20, memory_limit_gib=1.0) == 2**20
    with pytest.raises(RemoteCallError, match="MemoryError") as caught:
        run_in_subprocess(_allocate, 2**31, memory_limit_gib=1.0)
    assert caught.value.type_name == "MemoryError"


def _allocate(num_bytes):
    return len(bytearray(num_bytes))


def test_waiting_for_several_returns_those_whose_calls_have_ended():
    with Worker() as slow, Worker() as quick:
        slow.submit(time.sleep, 3600)
        quick.submit(os.getpid)
        assert wait([slow, quick]) == [quick]
