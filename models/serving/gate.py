"""How many requests are under way: above a limit, further ones are refused at once."""

import contextlib
from collections.abc import Iterator

MAX_WAITING = 32  # requests under way, of which one is predicted; each may hold an image of MAX_BYTES


class FullError(RuntimeError):
    """As many requests as allowed are under way."""


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
