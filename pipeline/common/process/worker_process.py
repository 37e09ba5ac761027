"""A child process that runs one function call after the other; the memory of the calls is freed with it.

    with Worker() as worker:
        worker.submit(function, *arguments)      # both are pickled
        while not worker.is_done(timeout=0.2): ...
        value = worker.result()

The process ends when its parent does, however that ends. No Ctrl-C reaches it: the parent decides to `interrupt`.

Before its first call, a process runs the parent's script, as Python does to find the script's functions. A script
without `if __name__ == "__main__":` would prepare or train again there, and wait for its parent; see `end_rerun`.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import multiprocessing.resource_tracker
import os
import pathlib
import pickle
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Collection
from math import inf
from typing import Any, Literal, TypeAlias

from pipeline.common import errors, progress
from pipeline.common.process import environment, signals, streams, temporary_folder

GIB = 2**30
_NAME = "streaming-cifar100 worker"  # of each process
_RERUN = 70  # exit code of a process in which the parent's script works again
_serves = False  # whether this process is a worker whose parent's script has been run
# Why a process ended. Killed for want of memory counts as a crash: the same call would end so again. "unknown" is a
# SIGKILL where the kernel does not count those for want of memory.
Cause: TypeAlias = Literal["crash", "somebody", "unknown"]


class WorkerError(RuntimeError):
    """A call in a child process has no result: one line, the class that the call raised, if so, and its traceback."""

    def __init__(self, message: str, type_name: str = "", trace: str = "") -> None:
        super().__init__(message)
        self.type_name, self.trace = type_name, trace


class RemoteCallError(WorkerError):
    """The call raised an exception."""


class WorkerDiedError(WorkerError):
    """The process ended during the call: it crashed, or was killed, by the kernel for want of memory or by somebody."""

    def __init__(self, message: str, cause: Cause = "crash") -> None:
        super().__init__(message)
        self.cause = cause


class Worker:
    """One child process at a time, spawned (TensorFlow does not survive a fork) by the first call that finds none.

    Args:
      threads: of its TensorFlow, which chooses for 0.
      memory_limit_gib: of its data (RLIMIT_DATA; TensorFlow does not start under a limit of addresses); 0 is none.
      max_tasks, max_seconds: calls and seconds of work after which the process is replaced.
    """

    def __init__(
        self, *, threads: int = 0, memory_limit_gib: float = 0.0, max_tasks: float = inf, max_seconds: float = inf
    ) -> None:
        self._settings = threads, int(memory_limit_gib * GIB)
        self._max_tasks, self._max_seconds = max_tasks, max_seconds
        self._process: multiprocessing.context.SpawnProcess | None = None
        self._connection: multiprocessing.connection.Connection[Any, Any]
        self._temporary: tempfile.TemporaryDirectory[str]
        self._num_tasks, self._seconds, self._began = 0, 0.0, 0.0
        self._oom_kills: int | None = None
        self._is_terminated = False

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id; None where there is no process."""
        return self._process.pid if self._process else None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Start a call, in a new process where there is none, or where it ended since the last result."""
        self._began, self._oom_kills = time.perf_counter(), oom_kills()
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._connection.send((function, arguments))
                return
            self.stop()
        self._start()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended at once, as `result` finds out
            self._connection.send((function, arguments))

    def is_done(self, timeout: float | None) -> bool:
        """Whether the call has ended, well or not; waits at most `timeout` seconds for it, without a limit for None."""
        return self._connection.poll(timeout)

    def result(self) -> Any:
        """Wait for the call and return its value.

        Raises:
          RemoteCallError: the call raised an exception.
          errors.InterruptedRunError: the call raised this one, its state saved.
          WorkerDiedError: the process ended.
          errors.FailedError: the script of this process has no `if __name__ == "__main__":`.
        """
        try:
            status, value, *origin = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        self._seconds += time.perf_counter() - self._began
        self._num_tasks += 1
        if self._seconds > self._max_seconds or self._num_tasks >= self._max_tasks:
            self.stop()
        if status == "interrupted":
            raise errors.InterruptedRunError(value)
        if status == "error":
            raise RemoteCallError(value, *origin)
        return value

    def terminate(self) -> None:
        """Ask a training under way to save its state and end."""
        if self._process is not None and not self._is_terminated:
            self._is_terminated = True
            self._process.terminate()

    def interrupt(self, seconds: float = inf) -> None:
        """Ask a training under way to save its state, wait until it has, at most `seconds`, and end the process."""
        if self._process is not None:
            self.terminate()
            if self.is_done(None if seconds == inf else max(0.0, seconds)):
                with contextlib.suppress(WorkerError, errors.InterruptedRunError):
                    self.result()
        self.stop()

    def stop(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            progress.restore_cursor()
            self._connection.close()
            self._temporary.cleanup()  # a killed process leaves its files
        self._process = None

    def _start(self) -> None:
        end_rerun()
        context = multiprocessing.get_context("spawn")
        self._connection, child_connection = context.Pipe()
        self._temporary = tempfile.TemporaryDirectory(prefix="worker-", ignore_cleanup_errors=True)
        arguments = child_connection, self._temporary.name, *self._settings
        self._process = context.Process(target=_serve, name=_NAME, args=arguments, daemon=True)
        self._num_tasks, self._seconds, self._is_terminated = 0, 0.0, False
        # Blocked until the child ignores it, for a Ctrl-C goes to children too; here it is delivered afterwards.
        multiprocessing.resource_tracker.ensure_running()  # which unblocks it
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        child_connection.close()

    def _died(self) -> WorkerDiedError:
        """End the call of a process that has ended."""
        assert self._process is not None
        self._process.join()
        code = self._process.exitcode or 0
        self.stop()
        if code == _RERUN:
            script = getattr(sys.modules["__main__"], "__file__", "the script")
            raise errors.FailedError(
                f"{script}: each process that reads images or trains runs the script first; put its statements, but "
                'for imports and definitions, below the line if __name__ == "__main__":'
            ) from None
        if code >= 0:
            return WorkerDiedError(f"its process ended with exit code {code}")
        if -code in signals.ENDING and not self._is_terminated:
            # A batch system's signal to each process of a job may come here a little later; its handler may raise.
            time.sleep(signals.REPEAT_SECONDS)
        name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")  # a real-time one
        cause, hint = _cause(-code, self._oom_kills)
        return WorkerDiedError(f"its process was killed by {name}{hint}", cause)


def wait(workers: Collection[Worker]) -> list[Worker]:
    """Wait until the call of one of the workers has ended, and return those whose calls have."""
    ready = multiprocessing.connection.wait([worker._connection for worker in workers])
    return [worker for worker in workers if worker._connection in ready]


def _cause(number: int, oom_kills_before: int | None) -> tuple[Cause, str]:
    """The cause of a process's death by a signal, and a hint for the message."""
    if number != signal.SIGKILL:
        return "somebody" if number in signals.ENDING else "crash", ""
    oom_kills_now = oom_kills()
    if oom_kills_now is None or oom_kills_before is None:
        return "unknown", " (out of memory?)"
    return ("crash", " (out of memory)") if oom_kills_now > oom_kills_before else ("somebody", " (out of memory?)")


def oom_kills() -> int | None:
    """The number of processes that the kernel has killed for want of memory, here and in containers; None if unknown.

    Linux counts them since 4.13; macOS, and some sandboxes' kernels, do not.
    """
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
    return None


def run_in_subprocess(function: Callable[..., Any], *arguments: Any, memory_limit_gib: float = 0.0) -> Any:
    """Call a function, importable by name, in a child process of its own; values and errors as of `Worker`."""
    with Worker(memory_limit_gib=memory_limit_gib) as worker:
        worker.submit(function, *arguments)
        return worker.result()


def end_rerun() -> None:
    """End a worker's process whose parent's script works in it, before its first call; the parent says why."""
    if multiprocessing.current_process().name == _NAME and not _serves:
        os._exit(_RERUN)


def _serve(connection: multiprocessing.connection.Connection, temporary: str, threads: int, memory_limit: int) -> None:
    global _serves
    _serves = True
    temporary_folder.set_for_process(temporary)
    if threads:
        os.environ.update(dict.fromkeys(environment.THREADS, str(threads)))
    if memory_limit:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    streams.open_all()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the parent, which decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent's request, even where its caller ignores SIGTERM
    os.setsid()  # what else a terminal sends to its foreground processes is for the parent alone too
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            call = connection.recv_bytes()
        except EOFError:
            return
        connection.send(_outcome(call))


def _outcome(call: bytes) -> tuple[Any, ...]:
    try:
        function, arguments = pickle.loads(call)  # which imports their modules, and may fail like any call
        return "value", function(*arguments)
    except errors.InterruptedRunError as error:
        return "interrupted", str(error)
    except Exception as error:  # a study goes on with its other jobs, whatever it was
        is_one_line = isinstance(error, (errors.BadArgumentError, errors.FailedError))
        message = str(error) if is_one_line else f"{type(error).__name__}: {error}"
        return "error", " ".join(message.split()), type(error).__name__, traceback.format_exc()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)  # at once: the files of a run are whole at any moment, and its folder must be free for who goes on
