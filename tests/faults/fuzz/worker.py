"""The process that reads random inputs: python -m tests.faults.fuzz.worker READER SEED FIRST COUNT SECONDS SCRATCH.

It has 1 GiB of memory for the inputs, and ends when one takes longer than MAX_INPUT_SECONDS. The index of the input is
in the file `current` of the scratch folder, so that one that ends the process is known.
"""

import collections
import dataclasses
import faulthandler
import json
import os
import pathlib
import random
import resource
import sys
import time
import traceback
from typing import Any

from tests.faults.fuzz.readers import READERS, Reader
from tests.faults.fuzz.runner import Counts

MAX_INPUT_SECONDS = 20
MAX_BYTES = 1 << 30
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Events of Python's audit hooks that no reader causes.
_ESCAPES = ("os.", "subprocess.", "socket.", "shutil.", "pickle.find_class", "ctypes.", "compile", "exec", "tempfile.")
_HARMLESS = ("os.listdir", "os.scandir", "os.walk")


class Watch:
    """Notes what a reader does other than reading."""

    def __init__(self) -> None:
        self.is_on = False
        self.escapes: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event == "open":
            writes = isinstance(arguments[2], int) and bool(arguments[2] & _WRITES)
        elif event in ("exec", "compile"):  # of a module that is imported late it has a file
            file = getattr(arguments[0], "co_filename", None) or str(arguments[1])
            writes = file.startswith("<") and not file.startswith("<frozen")
        else:
            writes = event.startswith(_ESCAPES) and event not in _HARMLESS
        if writes:
            self.escapes.append(f"{event} {str(arguments)[:80]}")


def memory_bytes(name: str) -> int:
    """A size of this process in /proc, such as VmHWM."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


def outcome(reader: Reader, data: bytes, watch: Watch) -> tuple[str, str]:
    """`read`, `refused` or `mishandled`, and why."""
    why = ""
    watch.is_on = True
    try:
        reader.read(data)
        kind = "read"
    except reader.errors:
        kind = "refused"
    except Exception:
        watch.is_on = False
        kind, why = "mishandled", traceback.format_exc(limit=-3)
    watch.is_on = False
    if watch.escapes:
        kind, why = "mishandled", f"an escape: {watch.escapes.pop()}"
        watch.escapes.clear()
    return kind, why


def main(name: str, seed: str, first: str, count: str, seconds: str, scratch: str) -> None:
    """Read inputs until there are `count`, or for `seconds` (0: no limit); the last line of stdout sums up."""
    reader, watch = READERS[name](pathlib.Path(scratch)), Watch()
    draw = random.Random(f"{name} {seed}")
    for data in reader.seeds:  # which imports what is imported late
        reader.write(data, draw)
        reader.read(data)
    limit = memory_bytes("VmSize") + MAX_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before, until = memory_bytes("VmRSS"), time.monotonic() + float(seconds)
    outcomes: collections.Counter[str] = collections.Counter()
    current = os.open(pathlib.Path(scratch, "current"), os.O_WRONLY | os.O_CREAT)
    for index in range(int(first), int(first) + int(count)):
        if float(seconds) and time.monotonic() > until:
            break
        draw = random.Random(f"{name} {seed} {index}")
        data = reader.draw(draw)
        reader.write(data, draw)
        os.pwrite(current, f"{index:12}".encode(), 0)
        faulthandler.dump_traceback_later(MAX_INPUT_SECONDS, exit=True)
        kind, why = outcome(reader, data, watch)
        faulthandler.cancel_dump_traceback_later()
        outcomes[kind] += 1
        if kind == "mishandled":
            print(f"input {index} of {name}: {why}", file=sys.stderr)
    used = memory_bytes("VmHWM") - before
    if used > MAX_BYTES:
        outcomes["mishandled"] += 1
    result = Counts(name, outcomes.total(), outcomes["read"], outcomes["mishandled"], used >> 20)
    print(json.dumps(dataclasses.asdict(result)))


if __name__ == "__main__":
    main(*sys.argv[1:])
