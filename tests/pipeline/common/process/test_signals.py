"""Work ends at a signal with one line, a training is saved, and a signal that the caller ignores stays ignored."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from pipeline.common.process import signals
from tests.conftest import ROOT
from tests.pipeline.common.process import stub

CRASHES = {signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS}
NOT_HANDLED = CRASHES | {signal.SIGKILL, signal.SIGPIPE, signal.SIGXFSZ}
DEADLY = """
import os, resource, signal
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for number in sorted(signal.valid_signals()):
    child = os.fork()
    if not child:
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(0)
    _, status = os.waitpid(child, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    elif os.WIFSIGNALED(status):
        print(number)
"""


def test_every_signal_that_ends_a_process_is_in_the_table():
    done = subprocess.run([sys.executable, "-c", DEADLY], capture_output=True, text=True, check=True)
    assert {int(line) for line in done.stdout.split()} - NOT_HANDLED == signals.ENDING


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM]])
def test_work_ends_with_one_line_and_cleans_up(tmp_path, numbers):
    done = stub.call("work", tmp_path, numbers=numbers)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert done.stderr.startswith("error: interrupted, before the training; ")
    assert [path.name for path in tmp_path.iterdir()] == ["cleaned"]


def test_what_was_under_way_before_the_work_is_named(tmp_path):
    done = stub.call("load", tmp_path, numbers=[signal.SIGHUP])
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert done.stderr.startswith("error: interrupted while loading a library, before the training; ")


@pytest.mark.parametrize("numbers", [[signal.SIGXCPU], [signal.SIGINT] * 2, [signal.SIGRTMIN, signal.SIGHUP]])
def test_training_is_saved_however_often_signals_come(tmp_path, numbers):
    done = stub.call("train", tmp_path, numbers=numbers)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1] == "error: interrupted; saved"
    assert (tmp_path / "saved").exists()


def test_second_ctrl_c_of_a_person_ends_at_once(tmp_path):
    done = stub.call("train_for_a_person", tmp_path)
    assert (done.returncode, "Ctrl-C" in done.stderr) == (3, True)
    assert "before the training" not in done.stderr
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_signal_that_the_caller_ignores_stays_ignored(tmp_path, number):
    trap = ("sh", "-c", f"trap '' {int(number)}; exec \"$@\"", "sh")
    done = stub.call("work", tmp_path, *trap, numbers=[number])
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "ignored").exists()


def test_handler_of_the_caller_stays():
    received = []
    before = signal.signal(signal.SIGUSR1, lambda *_: received.append(True))
    try:
        with signals.Requests(listen=True) as requests:
            os.kill(os.getpid(), signal.SIGUSR1)
        assert (received, requests.received) == ([True], False)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_handlers_are_those_of_before_after_a_context():
    before = {number: signal.getsignal(number) for number in signals.ENDING}
    with signals.Requests(listen=True) as requests, signals.Requests(listen=True) as inner:
        os.kill(os.getpid(), signal.SIGTERM)
        assert requests.received
        assert inner.received
    assert {number: signal.getsignal(number) for number in signals.ENDING} == before


def test_request_whose_exception_a_library_swallowed_stands(tmp_path):
    with signals.Requests(listen=True, raises=True) as requests:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        with signals.Requests(listen=True) as inner:
            assert inner.received
        requests.received = False  # else the signals stay ignored


@pytest.mark.parametrize("ignores", [False, True])
def test_training_is_saved_when_its_terminal_is_closed(tmp_path, ignores):
    """Of a closed terminal each write fails, with EIO."""
    child, terminal = pty.fork()
    if not child:
        if ignores:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        values = {"PYTHONPATH": str(ROOT), "DOES": "train"}
        os.chdir(tmp_path)
        os.execve(sys.executable, [sys.executable, "-m", stub.__name__], {**os.environ, **values})
    while not (tmp_path / "begun").exists():
        assert not os.waitpid(child, os.WNOHANG)[0]
        time.sleep(0.01)
    os.close(terminal)
    if ignores:
        os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert (tmp_path / "saved").exists()
