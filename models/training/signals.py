"""SIGINT and SIGTERM as a request that the training loop answers between two steps, its state saved."""

import os
import signal
import threading
from types import FrameType, TracebackType


class Requests:
    """A context in which the first signal sets `received` and a second one ends the process as ever.

    Args:
      listen: False leaves the signals alone; so does any thread but the main one, where Python allows no handler.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, listen: bool) -> None:
        self.received = False
        self._listens = listen and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "Requests":
        if self._listens:
            self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listens:
            self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if number == signal.SIGINT:  # a person waits; print() may not be called within a handler
            os.write(2, b"\ninterrupted: ending as soon as all is saved; once more ends at once\n")
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
