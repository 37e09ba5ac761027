"""A measurement in a process of its own: its memory is its alone, and what ends it ends nothing else.

    said = subprocess_call.call(cases.ours, {"views": 60_000_000, "max_steps": 200, ...})
    said = subprocess_call.call_within(2.0, cases.ours, {"views": 60_000_000, "max_steps": 200, ...})

The process says in its last line what its function returned, as JSON, or nothing where memory ended it.
"""

import importlib
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.common import errors

GIB = 2**30
Function = Callable[..., dict[str, Any]]
PROGRAM = "import sys; from benchmarks.harness import subprocess_call; subprocess_call.serve(*sys.argv[1:])"
# How Python, C++, the kernel, TensorFlow and oneDNN say that there is not enough memory.
OUT_OF_MEMORY = (
    *("MemoryError", "bad_alloc", "Cannot allocate memory", "ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM"),
    *("could not create a primitive", "could not create a memory"),
)


def call(function: Function, given: dict[str, Any]) -> dict[str, Any]:
    """Call a function in a process of its own.

    Args:
      function: of a module's top level, with JSON's types as its arguments and a dictionary of them as its result.
      given: its arguments.

    Returns:
      What it returned.

    Raises:
      errors.FailedError: it failed, or its process died.
    """
    done = _run(function, given, 0.0)
    if done.returncode:
        raise _failed(function, done)
    return _result(done)


def call_within(limit_gib: float, function: Function, given: dict[str, Any]) -> dict[str, Any] | None:
    """As `call`, with a limit of the process's data (RLIMIT_DATA: one of its addresses would end TensorFlow itself).

    Args:
      limit_gib: of its data.
      function: as in `call`.
      given: as in `call`.

    Returns:
      What it returned; None where it died of the limit.

    Raises:
      errors.FailedError: it failed of something else.
    """
    done = _run(function, given, limit_gib)
    if not done.returncode:
        return _result(done)
    if done.returncode < 0 or any(words in done.stderr for words in OUT_OF_MEMORY):
        return None
    raise _failed(function, done)


def run_to_end(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command, its words kept; what interrupts this, a Ctrl-C say, goes on when the process has ended.

    subprocess.run does not wait for what it kills then: the process could still write where its files are removed.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def last_words(said: str) -> str:
    """The last line that a process wrote before it failed: ours end with their error."""
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def serve(function: str, given: str, limit_gib: str) -> None:
    """Be that process: keep to the limit, call the function, and say what it returned."""
    limit = int(float(limit_gib) * GIB)
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    module, _, name = function.rpartition(".")
    print(json.dumps(getattr(importlib.import_module(module), name)(**json.loads(given))))


def _run(function: Function, given: dict[str, Any], limit_gib: float) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, _name(function), json.dumps(given), str(limit_gib)]
    return run_to_end(command)


def _name(function: Function) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _failed(function: Function, done: subprocess.CompletedProcess[str]) -> errors.FailedError:
    how = f"killed by {signal.Signals(-done.returncode).name}" if done.returncode < 0 else ""
    return errors.FailedError(f"{_name(function)}: {how or last_words(done.stderr)}")


def _result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(done.stdout.splitlines()[-1])
