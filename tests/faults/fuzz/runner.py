"""Runs the processes that read random inputs, and adds up their results."""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from pipeline.common.config import CHECKOUT

_ALL = 10**9


@dataclasses.dataclass(frozen=True)
class Counts:
    """What became of the inputs of a reader, and the memory of its process beyond that before the first input."""

    reader: str
    inputs: int = 0
    read: int = 0  # without an error
    mishandled: int = 0
    peak_mib: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        inputs, read = self.inputs + other.inputs, self.read + other.read
        mishandled, peak_mib = self.mishandled + other.mishandled, max(self.peak_mib, other.peak_mib)
        return Counts(self.reader, inputs, read, mishandled, peak_mib)


def fuzz(reader: str, *, seed: int = 0, count: int = _ALL, seconds: float = 0) -> Counts:
    """Try a reader on `count` inputs, or with `seconds` until that time is over.

    A process that an input ends is started again behind that input.
    """
    total, first, until = Counts(reader), 0, time.monotonic() + seconds
    while first < count and (not seconds or time.monotonic() < until):
        left = max(until - time.monotonic(), 1) if seconds else 0
        with tempfile.TemporaryDirectory() as scratch:
            arguments = [reader, seed, first, count - first, left, scratch]
            command = [sys.executable, "-m", "tests.faults.fuzz.worker", *map(str, arguments)]
            result = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False)
            if result.returncode == 0:
                return total + Counts(**json.loads(result.stdout.splitlines()[-1]))
            current = pathlib.Path(scratch, "current")
            if not current.exists():
                raise RuntimeError(f"the reader {reader} does not read its own valid inputs")
            index = int(current.read_text())
        print(f"input {index} of {reader}: the process ended with {result.returncode}", file=sys.stderr)
        total += Counts(reader, inputs=index - first + 1, mishandled=1)
        first = index + 1
    return total
