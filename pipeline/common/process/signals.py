"""Signals that end a process, as requests to stop: a training saves its state, anything else ends with one line."""

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, NoReturn, Self

from pipeline.common import progress

# The signals from outside whose default action ends a process. Those of a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
# SIGABRT, SIGTRAP, SIGSYS) are not among them: after one, memory is not to be trusted. Python ignores SIGPIPE and
# SIGXFSZ: the write fails instead. SIGKILL cannot be handled.
_NAMES = (
    "SIGHUP",  # the terminal was closed, or the connection was lost
    "SIGINT",  # Ctrl-C
    "SIGQUIT",  # Ctrl-\
    "SIGTERM",  # kill, timeout, shutdown; Slurm, PBS, HTCondor, Kubernetes and Docker before SIGKILL
    "SIGUSR1",  # sbatch --signal=USR1@60; Grid Engine's s_rt, and its -notify before it suspends a job
    "SIGUSR2",  # Grid Engine's -notify before SIGKILL; LSF at the run limit of a job
    "SIGXCPU",  # ulimit -t, and Grid Engine's s_cpu: again each second until the hard limit
    "SIGALRM",  # `perl -e 'alarm 60; exec @ARGV'`, the timeout of systems that have none
    "SIGVTALRM",  # setitimer's other two timers, which an exec keeps too
    "SIGPROF",
    "SIGIO",  # of a descriptor that the caller has set to O_ASYNC
    "SIGPWR",  # a power supply that runs on its battery
    "SIGSTKFLT",  # no kernel sends it; `kill` can
)
_REAL_TIME = range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else range(0)
ENDING = frozenset({*(getattr(signal, name) for name in _NAMES if hasattr(signal, name)), *_REAL_TIME})
# A Ctrl-C within this time of the first signal is the same one by another way: the terminal sends it to each process of
# a pipeline, and `make`, `timeout` or `uv run` forward theirs. A later one comes from a person.
REPEAT_SECONDS = 1.0

_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)
_BINARIES = ("pipeline.", "models.", "tuning.", "benchmarks.", "cifar-")  # the names of modules and scripts begin so

_contexts: list["Requests"] = []  # those that listen, the innermost last
_first = 0.0  # the time of the first signal


def end_while_starting() -> None:
    """Let a signal end a binary with one line and exit code 3 until it has its `Requests`, while it imports modules.

    Does nothing in other programs, which import packages of this project.
    """
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    name = spec.name if spec else os.path.basename(getattr(main, "__file__", None) or "")
    if name.startswith(_BINARIES) or sys.argv[:1] == ["-m"]:  # which Python has while it imports the binary's package
        for number in ENDING:
            if signal.getsignal(number) in _DEFAULTS:
                signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"error: interrupted; run the same command again\n")
    os._exit(3)


class Requests(contextlib.ExitStack):
    """A context in which the first signal sets `received`, here and in the contexts around.

    Further signals do nothing: batch systems and `timeout` send theirs twice, and the saving must not be cut short. A
    Ctrl-C at least REPEAT_SECONDS later raises KeyboardInterrupt: a person is tired of waiting.

    With `raises` the first signal raises KeyboardInterrupt, unless a context within takes it, and once one was received
    the signals stay ignored after the context, while the process ends. A signal that the caller ignores (nohup), or
    handles, is left alone. Handlers are installed if `listen` is true, and only in the main thread, as Python allows.

    `task` is what was under way at the first signal; `was_nested`, whether there was another context within.
    """

    def __init__(self, listen: bool, raises: bool = False) -> None:
        super().__init__()
        self.raises = raises
        self.received = self.was_nested = False
        self.task = ""
        self._listens = listen and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self._listens:
            if _contexts:  # a library may have swallowed the KeyboardInterrupt
                self.received = _contexts[-1].received
                _contexts[0].was_nested = True
            _contexts.append(self)
            self.callback(_contexts.remove, self)
            for number in sorted(ENDING):
                if signal.getsignal(number) in (*_DEFAULTS, _end, _receive):
                    self.callback(self._restore, number, signal.signal(number, _receive))
        return self

    def _restore(self, number: int, before: Any) -> None:
        if not (self.raises and self.received):
            signal.signal(number, before)
        elif number != signal.SIGINT:  # its handler stays, for a process that does not end
            signal.signal(number, signal.SIG_IGN)  # Python's own end would put SIG_DFL in the place of a handler


def _receive(number: int, frame: FrameType | None) -> None:
    global _first
    now = time.monotonic()
    if _contexts and not _contexts[-1].received:
        _first = now
        for context in _contexts:
            context.received, context.task = True, progress.current()
        if _contexts[-1].raises:
            raise KeyboardInterrupt
        if number == signal.SIGINT:  # a person waits; print() may not be called within a handler
            with contextlib.suppress(OSError):
                os.write(2, b"\ninterrupted: saving the state; press Ctrl-C again to end at once\n")
    elif number == signal.SIGINT and now - _first >= REPEAT_SECONDS:
        raise KeyboardInterrupt
