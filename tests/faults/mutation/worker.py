"""A process that has imported the libraries, and runs tests in a fork of itself: one call of pytest for each line.

It runs in a copy of the repository and imports nothing of the project, so that each fork imports the copy's modules as
they are then. A line on stdin is a JSON list of the seconds and pytest's arguments; the answer is a JSON list of the
outcome, "passed", "failed" or "timeout", and the end of the output. Libraries are only imported before a fork, not
used: TensorFlow's threads do not survive one.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time

LIBRARIES = ("tensorflow", "keras", "keras_tuner", "tensorflow_datasets", "scipy.stats", "sklearn", "pytest")


def main(libraries: list[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that `_wait` ends the tests
    for name in libraries:
        importlib.import_module(name)
    for line in sys.stdin:
        print(json.dumps(run(*json.loads(line))), flush=True)


def run(seconds: float, arguments: list[str]) -> tuple[str, str]:
    """Run pytest in a fork, and end its processes at its end."""
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if not pid:
            _call(arguments, output.fileno())
        os.setpgid(pid, pid)  # here too: the fork may be ended before it has run
        code = _wait(pid, time.monotonic() + seconds)
        output.seek(0)
        shown = output.read().decode(errors="replace")[-2000:]
    return {None: "timeout", 0: "passed"}.get(code, "failed"), shown


def _call(arguments: list[str], output: int) -> None:
    code = 70
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        for stream, number in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
            os.dup2(stream, number)
        import pytest

        code = int(pytest.main(arguments))
    finally:
        os._exit(code)


def _wait(pid: int, deadline: float) -> int | None:
    """The exit code of a process, which is killed with its group at the deadline; None then."""
    status = None
    try:
        while status is None and time.monotonic() < deadline:
            done, value = os.waitpid(pid, os.WNOHANG)
            status = value if done else time.sleep(0.02)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    if status is None:
        os.waitpid(pid, 0)
        return None
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main(sys.argv[1:])
