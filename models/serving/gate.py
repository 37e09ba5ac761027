"""Limits the number of concurrent requests: further ones are rejected at once."""

import contextlib
from collections.abc import Iterator

MAX_WAITING = 32  # concurrent requests, of which one is predicted; each may hold an image of MAX_BYTES


class FullError(RuntimeError):
    """The largest number of concurrent requests is reached."""


class Gate:
    """Counts the requests of one thread, that of the event loop."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self._limit, self._count = limit, 0

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """A context of a request; FullError where the limit is reached."""
        if self._count >= self._limit:
            raise FullError
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
