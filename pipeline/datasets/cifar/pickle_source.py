"""Reads the arguments of a pickle's opcodes from a file, in bounded memory."""

import codecs
import pickle
import struct
import sys
from collections.abc import Iterator
from typing import IO, Any

from pipeline.datasets.cifar import pickle_types

_CHUNK_BYTES = 1 << 16
_MAX_LINE_BYTES = 512  # a name or a number
_MAX_INTEGER_BYTES = 255


class Source:
    """A buffered file, and the memory that values read from it may still take.

    Every method raises pickle.UnpicklingError for what no data set needs, or a ValueError for what is no pickle.
    """

    def __init__(self, file: IO[bytes], memory_limit: int) -> None:
        self._file, self._limit, self._left = file, memory_limit, memory_limit

    def charge(self, num_bytes: int) -> None:
        """Count memory before it is allocated."""
        self._left -= num_bytes
        if self._left < 0:
            raise pickle.UnpicklingError(f"takes more than {self._limit >> 20} MiB, more than a data set needs")

    def opcode(self) -> bytes:
        """The next byte."""
        return self._checked(self._file.read(1), 1)

    def number(self, layout: str) -> Any:
        """A number, with the layout of `struct`."""
        size = struct.calcsize(layout)
        return struct.unpack(layout, self._checked(self._file.read(size), size))[0]

    def counted(self, layout: str) -> bytes:
        """The bytes behind their count."""
        count = self.number(layout)
        if count < 0:
            raise pickle.UnpicklingError("holds bytes of a negative count")
        self.charge(count)
        return self._checked(self._file.read(count), count)

    def integer(self, layout: str) -> int:
        """An integer of any size, within reason."""
        content = self.counted(layout)
        if len(content) > _MAX_INTEGER_BYTES:
            raise pickle.UnpicklingError(f"holds an integer of {len(content)} bytes")
        return int.from_bytes(content, "little", signed=True)

    def line(self) -> str:
        """A name or number on a line; an editor or a checkout on Windows may have ended it with CR LF."""
        line = self._file.readline(_MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise pickle.UnpicklingError("is truncated, or has a name or number that does not end")
        self.charge(len(line))
        return line.rstrip(b"\r\n").decode()

    def line_integer(self) -> int:
        """An integer or a bool of protocol 0."""
        line = self.line()
        return line == "01" if line in ("00", "01") else int(line.removesuffix("L"))

    def text(self, codec: str, layout: str = "") -> str | pickle_types.LatinText:
        """A text of a line, or with `layout` of a count.

        A long one must be Latin-1, and is kept as its bytes: other characters would take four bytes each.
        """
        decoder = codecs.getincrementaldecoder(codec)("surrogatepass" if codec == "utf-8" else "strict")
        latin, last = bytearray(), ""
        for chunk in self._counted_chunks(layout) if layout else self._line_chunks():
            latin += last.encode("latin1")
            last = decoder.decode(chunk)
            self.charge(sys.getsizeof(last))
        last += decoder.decode(b"", final=True)
        if not latin:
            return last
        latin += last.encode("latin1")
        return pickle_types.LatinText(latin)

    def quoted(self) -> bytes | bytearray:
        """The bytes that Python 2 wrote as a literal in quotes."""
        text = self.text("unicode_escape")
        content = text.content if isinstance(text, pickle_types.LatinText) else bytearray(text, "latin1")
        if len(content) < 2 or content[0] != content[-1] or content[0] not in b"'\"":
            raise pickle.UnpicklingError("has a text without quotes")
        del content[-1], content[0]
        return content if isinstance(text, pickle_types.LatinText) else bytes(content)

    def _line_chunks(self) -> Iterator[bytes]:
        """A line of any length, without its end."""
        before = b""
        while chunk := self._file.readline(_CHUNK_BYTES):
            chunk = before + chunk
            if chunk.endswith(b"\n"):
                yield chunk[:-1].removesuffix(b"\r")
                return
            before = chunk[-1:] if chunk.endswith(b"\r") else b""
            yield chunk[: len(chunk) - len(before)]
        self._checked(b"", 1)

    def _counted_chunks(self, layout: str) -> Iterator[bytes]:
        count = self.number(layout)
        while count > 0:
            chunk = self._file.read(min(count, _CHUNK_BYTES))
            self._checked(chunk, 1)
            count -= len(chunk)
            yield chunk

    def _checked(self, data: bytes, num_bytes: int) -> bytes:
        if len(data) < num_bytes:
            raise pickle.UnpicklingError("is truncated")
        return data
