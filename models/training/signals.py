"""SIGINT and SIGTERM as a request to stop, which the training loop handles between two steps."""

import os
import signal
import threading
from types import FrameType, TracebackType


class Requests:
    """A context in which the first signal sets `received`; a second one acts as it did before the context.

    Args:
      listen: whether to install handlers; only the main thread installs them, as Python allows.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, listen: bool) -> None:
        self.received = False
        self._listens = listen and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "Requests":
        if self._listens:
            self._before = {number: signal.signal(number, self._receive) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listens:
            self._restore()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if number == signal.SIGINT:  # a person waits; print() may not be called within a handler
            os.write(2, b"\ninterrupted: ending as soon as all is saved; once more ends at once\n")
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
