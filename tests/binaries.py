"""Starting binaries as a person does: in a process of their own."""

import subprocess
import sys

from tests.conftest import ROOT


def command(binary: str, *flags: str) -> list[str]:
    return [sys.executable, "-m", binary, *flags]


def call(binary: str, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(binary, *flags), cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
