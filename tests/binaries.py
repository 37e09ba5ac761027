"""Starting binaries as a person does: in a process of their own."""

import signal
import subprocess
import sys

from tests.conftest import ROOT

# Runs a binary that signals itself right after it has written a file, however slow the machine is.
SIGNALLED = """
import os, runpy, sys

number, file, binary, *sys.argv[1:] = sys.argv[1:]
replace = os.replace

def replace_and_signal(source, target):
    replace(source, target)
    if str(target).endswith(file):
        os.kill(os.getpid(), int(number))

os.replace = replace_and_signal  # as every file is written (pipeline/common/files.py)
runpy.run_module(binary, run_name="__main__", alter_sys=True)
"""


def command(binary: str, *flags: str) -> list[str]:
    return [sys.executable, "-m", binary, *flags]


def call(binary: str, *flags: str) -> subprocess.CompletedProcess:
    return _run(command(binary, *flags))


def call_signalled(number: signal.Signals, file: str, binary: str, *flags: str) -> subprocess.CompletedProcess:
    """Call a binary that gets a signal as soon as it has written a file whose path ends like that."""
    return _run([sys.executable, "-c", SIGNALLED, str(int(number)), file, binary, *flags])


def _run(arguments: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
