"""Calling binaries: in a process of their own, as a person does, or in this one."""

import importlib.abc
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from pipeline.common import app
from pipeline.common.process import signals
from tests.conftest import ROOT

SIGNALLED = """
import runpy, sys
from tests import binaries
when, number, name, binary, *sys.argv[1:] = sys.argv[1:]
getattr(binaries, when)(int(number), name)
runpy.run_module(binary, run_name="__main__", alter_sys=True)
"""


def command(binary: str, *flags: str) -> list[str]:
    return [sys.executable, "-m", binary, *flags]


def call(binary: str, *flags: str) -> subprocess.CompletedProcess:
    return _run(command(binary, *flags))


def call_signalled(number: signal.Signals, file: str, binary: str, *flags: str) -> subprocess.CompletedProcess:
    """Call a binary that gets a signal as soon as it has written a file whose path ends like that."""
    return _run([sys.executable, "-c", SIGNALLED, signal_at.__name__, str(int(number)), file, binary, *flags])


def call_signalled_at_import(
    number: signal.Signals, module: str, binary: str, *flags: str
) -> subprocess.CompletedProcess:
    """Call a binary that gets a signal when it imports a module."""
    return _run([sys.executable, "-c", SIGNALLED, signal_at_import.__name__, str(int(number)), module, binary, *flags])


def call_here(monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], flags: app.Flags, *arguments: str) -> int:
    """Run the main function of a binary in this process, which has TensorFlow loaded; its exit code."""
    monkeypatch.setattr(sys, "argv", ["binary", *arguments])
    # TensorFlow changes nothing of a GPU that this process uses already.
    monkeypatch.setattr("models.runtime.device.allow_gpu_memory_growth", lambda: None)
    handlers = {number: signal.getsignal(number) for number in signals.ENDING}
    with pytest.raises(SystemExit) as ended:
        app.run(main, flags)
    for number in {number for number, handler in handlers.items() if signal.getsignal(number) != handler}:
        signal.signal(number, handlers[number])  # a process that got a signal ignores all until it ends
    return ended.value.code or 0


def signal_at(number: int, file: str) -> None:
    """Have this process get a signal as soon as it has written such a file, however slow the machine is."""
    replace = os.replace

    def replace_and_signal(source: pathlib.Path, target: pathlib.Path) -> None:
        replace(source, target)
        if str(target).endswith(file):
            os.replace = replace  # once is enough
            os.kill(os.getpid(), number)

    os.replace = replace_and_signal  # as every file is written (pipeline/common/files.py)


def signal_at_import(number: int, module: str) -> None:
    """Have this process get a signal when it imports a module."""

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == module:
                sys.meta_path.remove(self)
                os.kill(os.getpid(), number)

    sys.meta_path.insert(0, Finder())


def _run(arguments: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
