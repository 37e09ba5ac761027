"""SIGINT and SIGTERM as a request to stop, which the training loop handles between two steps."""

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Self


class Requests(contextlib.ExitStack):
    """A context in which the first signal sets `received`; a second one acts as it did before the context.

    Handlers are installed if `listen` is true, and only in the main thread, as Python allows.
    """

    def __init__(self, listen: bool) -> None:
        super().__init__()
        self.received = False
        self._listens = listen and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM) if self._listens else ():
            self.callback(signal.signal, number, signal.signal(number, self._receive))
        return self

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if number == signal.SIGINT:  # a person waits; print() may not be called within a handler
            os.write(2, b"\ninterrupted: saving the state; press Ctrl-C again to end at once\n")
        self.close()  # which puts the former handlers back
