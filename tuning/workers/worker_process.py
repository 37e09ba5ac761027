"""A child process that calls what it is told: what a call leaves in memory ends with the process.

    with Worker() as worker:
        worker.call(function, *arguments)      # both travel by pickle
        while not worker.answers_within(0.2): ...
        value = worker.answer()

It ends when its parent does, however that ends, and no Ctrl-C reaches it: `interrupt` does, by its parent's decision.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from models.training import signals
from pipeline.common import errors

POLL_SECONDS = 0.2
INTERRUPTED = "interrupted; what has ended is kept, and the same command goes on from there"
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")  # environment variables that TensorFlow reads


class CallError(RuntimeError):
    """The call raised; one line. `trace` is where, in the child; `kind` the name of the class that it raised."""

    def __init__(self, message: str, trace: str, kind: str) -> None:
        super().__init__(message)
        self.trace, self.kind = trace, kind


class DiedError(RuntimeError):
    """The process ended in the middle of the call; one line."""


class Worker:
    """One child process, started afresh (never forked: TensorFlow does not survive that), one call at a time.

    Args:
      threads: that its TensorFlow computes on; 0 leaves their number to it.
    """

    def __init__(self, threads: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, threads), daemon=True)
        # Ignored from its birth until it leaves the terminal's group: a Ctrl-C goes to children too.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        theirs.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process.pid is not None
        return self._process.pid

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Begin a call in the child."""
        try:
            self._connection.send((function, arguments))
        except OSError as error:
            raise self._died() from error

    def answers_within(self, seconds: float) -> bool:
        """Whether the call has ended, well or not; waits for it so long at most."""
        return self._connection.poll(seconds)

    def answer(self) -> Any:
        """What the call returned; waits for it.

        Raises:
          CallError: it raised something.
          errors.InterruptedRunError: it raised this, its state saved.
          DiedError: the process ended instead: killed, or crashed.
        """
        try:
            how, value, *origin = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        if how == "interrupted":
            raise errors.InterruptedRunError(value)
        if how == "error":
            raise CallError(value, *origin)
        return value

    def interrupt(self) -> None:
        """Ask a training under way to save its state and end; anything else just ends."""
        self._process.terminate()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _died(self) -> DiedError:
        self._process.join()
        code = self._process.exitcode or 0
        if code >= 0:
            return DiedError(f"its process ended with exit code {code}")
        number = signal.Signals(-code)
        hint = " (out of memory?)" if number == signal.SIGKILL else ""
        return DiedError(f"its process was killed by {number.name}{hint}")


class RecycledWorker:
    """A worker that is begun anew once it has worked five minutes, or on eight calls, and when it has died.

    Importing TensorFlow and decoding the images anew (about 10 s) then costs little however short calls are, and memory
    holds what a few of them leave (some 60 MB each), never what all would. `threads` is as of a worker.
    """

    SECONDS, CALLS = 300.0, 8

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads
        self._worker: Worker | None = None
        self._began = 0.0
        self._worked_seconds, self._worked_calls = 0.0, 0

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Begin a call, in a new process where the one before has worked enough, or has gone since its last answer."""
        self._began = time.perf_counter()
        if self._worker is not None:
            try:
                self._worker.call(function, *arguments)
            except DiedError:
                self.stop()
            else:
                return
        self._worker, self._worked_seconds, self._worked_calls = Worker(self._threads), 0.0, 0
        self._worker.call(function, *arguments)

    def answers_within(self, seconds: float) -> bool:
        """As a worker's."""
        assert self._worker is not None
        return self._worker.answers_within(seconds)

    def answer(self) -> Any:
        """As a worker's, and with its errors."""
        assert self._worker is not None
        try:
            return self._worker.answer()
        except DiedError:
            self.stop()
            raise
        finally:
            self._worked_seconds += time.perf_counter() - self._began
            self._worked_calls += 1
            if self._worked_seconds > self.SECONDS or self._worked_calls >= self.CALLS:
                self.stop()

    def answer_unless(self, requests: signals.Requests, tick: Callable[[], None] = lambda: None) -> Any:
        """The answer of the call under way; `tick` is called again and again until it is there.

        Raises:
          errors.InterruptedRunError: a request to end came before; what the call had begun is saved.
          CallError, DiedError: as of `answer`.
        """
        while not self.answers_within(POLL_SECONDS):
            if requests.received:
                # A second signal meanwhile ends this process, and with it the worker. What the call may have just ended
                # lies in its run folder, and is taken from there next time.
                self.interrupt()
                raise errors.InterruptedRunError(INTERRUPTED)
            tick()
        return self.answer()

    def interrupt(self) -> None:
        """Ask a training under way to save its state and end, and wait until it has; the process ends too."""
        if self._worker is not None:
            self._worker.interrupt()
            with contextlib.suppress(CallError, DiedError, errors.InterruptedRunError):
                self._worker.answer()
        self.stop()

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self._worker is not None:
            self._worker.stop()
        self._worker = None


def _serve(connection: multiprocessing.connection.Connection, threads: int) -> None:
    if threads:
        os.environ.update(dict.fromkeys(THREADS, str(threads)))
    os.setsid()  # a Ctrl-C and the parent's `interrupt` would be two signals, and a second one ends a run unsaved
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        connection.send(_outcome(function, arguments))


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        return "value", function(*arguments)
    except errors.InterruptedRunError as error:
        return "interrupted", str(error)
    except Exception as error:  # a study goes on with its other cells, whatever it was
        own = isinstance(error, (errors.BadArgumentError, errors.FailedError))
        message = str(error) if own else f"{type(error).__name__}: {error}"
        return "error", " ".join(message.split()), traceback.format_exc(), type(error).__name__


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)  # at once: the files of a run are whole at any moment, and its folder must be free for who goes on
