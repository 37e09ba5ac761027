"""Whether a stream is a terminal, such as for a progress bar."""

from typing import TextIO


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal; what stands for stdout in notebooks and tests may lack `isatty`."""
    return bool(getattr(stream, "isatty", bool)())
