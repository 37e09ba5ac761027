"""The standard streams: the caller may have closed any of them, and a failed write must not end the work."""

import contextlib
import errno
import io
import os
import select
import sys
from typing import Any, TextIO


class _Output(io.FileIO):
    """A descriptor that takes everything: what it cannot write is dropped, from the first error on."""

    def __init__(self, descriptor: int, closefd: bool) -> None:
        super().__init__(descriptor, "w", closefd=closefd)
        self.error: OSError | None = None
        self._is_terminal = self.isatty()
        self._has_ended = False

    def write(self, data: Any, /) -> int:
        """Write all of `data`, or drop it."""
        left = memoryview(data)
        while left and not self._has_ended:
            try:
                count = super().write(left)
            except OSError as error:
                self._has_ended = True
                if not (self._is_terminal and error.errno == errno.EIO):  # nobody sits at a closed terminal
                    self.error = error
            else:
                left = left[count or 0 :]
                if count is None:  # a descriptor that another process has set to O_NONBLOCK is full
                    select.select([], [self], [])
        return len(data)


def open_all() -> None:
    """Open the standard streams that are missing, and have stdout and stderr survive failed writes.

    Without it the next files that are opened get the descriptors 0, 1 and 2, and whatever is printed goes into them. A
    stream that somebody has put in the place of stdout or stderr, such as a notebook's, stays.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free descriptor is this one
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115  # open as long as the process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the user's encoding does not have
            if stream is getattr(sys, f"__{name}__"):
                with contextlib.suppress(OSError):
                    stream.flush()
                opened = writer(stream.fileno(), stream, closefd=False)
                setattr(sys, name, opened)
                setattr(sys, f"__{name}__", opened)


def writer(descriptor: int, like: io.TextIOWrapper | None = None, *, closefd: bool = True) -> io.TextIOWrapper:
    """A text stream on a descriptor that survives failed writes, with the encoding and buffering of another."""
    raw = _Output(descriptor, closefd)
    if like is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    return io.TextIOWrapper(
        raw if isinstance(like.buffer, io.RawIOBase) else io.BufferedWriter(raw),  # the former with `python -u`
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=like.line_buffering,
        write_through=like.write_through,
    )


def error(stream: TextIO) -> OSError | None:
    """The error of the first failed write to a stream of this module; None without one, or for a closed terminal."""
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    return getattr(getattr(buffer, "raw", buffer), "error", None)
