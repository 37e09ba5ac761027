"""Child processes of a measurement: calls with a memory of their own, and commands that do not outlive their context.

report = subprocess_call.call(cases.ours, views=60_000_000, max_steps=200)
report = subprocess_call.call_within(2.0, cases.ours, views=60_000_000, max_steps=200)   # None: out of memory
"""

import contextlib
import functools
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.common import app, errors
from pipeline.common.process.worker_process import RemoteCallError, WorkerDiedError, WorkerError, run_in_subprocess

Function = Callable[..., dict[str, Any]]
# What Python, C++, the kernel, TensorFlow and oneDNN write when there is not enough memory.
OUT_OF_MEMORY = (
    "MemoryError",
    "bad_alloc",
    "Cannot allocate memory",
    "ResourceExhausted",
    "RESOURCE_EXHAUSTED",
    "OOM",
    "could not create a primitive",
    "could not create a memory",
)


def call(function: Function, **arguments: Any) -> dict[str, Any]:
    """Call a function that is importable by name in a process of its own, which has TensorFlow loaded.

    Raises:
      errors.FailedError: it failed, or its process died.
    """
    try:
        return run_in_subprocess(_quietly, functools.partial(function, **arguments))
    except WorkerError as error:
        raise _failed(function, error) from error


def call_within(limit_gib: float, function: Function, **arguments: Any) -> dict[str, Any] | None:
    """As `call`, with a limit of the process's data; None where the process ran out of memory."""
    try:
        return run_in_subprocess(_quietly, functools.partial(function, **arguments), memory_limit_gib=limit_gib)
    except WorkerDiedError:
        return None
    except RemoteCallError as error:
        if any(text in f"{error} {error.trace}" for text in OUT_OF_MEMORY):
            return None
        raise _failed(function, error) from error


@contextlib.contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A context of a command that runs; at its end the process has ended, killed if need be.

    So whatever ends the context, a Ctrl-C say, the process writes no more where its files are removed.
    """
    process = subprocess.Popen(command, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def run(title: str, command: Sequence[str], timeout: float | None = None) -> None:
    """Run a command to its end.

    Raises:
      errors.FailedError: it failed; the message has its title and the last line that it wrote.
    """
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        _, stderr = process.communicate(timeout=timeout)
    if process.returncode:
        raise errors.FailedError(f"{title}: exit code {process.returncode}: {last_line(stderr)}")


def last_line(text: str) -> str:
    """The last line that a process wrote before it failed: ours end with their error."""
    return (text.strip().splitlines() or ["no output"])[-1]


def _quietly(function: Function) -> dict[str, Any]:
    """Call a function without the output of its process: what libraries print when memory ends."""
    with open(os.devnull, "wb") as null:
        for stream in (1, 2):
            os.dup2(null.fileno(), stream)
    app.load_tensorflow()
    return function()


def _failed(function: Function, error: WorkerError) -> errors.FailedError:
    return errors.FailedError(f"{function.__module__}.{function.__qualname__}: {error}")
