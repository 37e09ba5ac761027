"""Reads the files of a tar archive: V7, ustar, GNU and PAX, compressed or not.

Python's tarfile reads headers of any declared size into memory, keeps all of them, and in the Python versions that are
supported takes hours for some (CVE-2024-6232). This reader knows names and sizes only, and bounds both.
"""

import io
import re
from collections.abc import Iterator
from typing import IO, Any

from pipeline.datasets.containers.decompression import decompressed
from pipeline.datasets.containers.member import (
    BUFFER_BYTES,
    ContainerError,
    Member,
    check_count,
    check_special,
    checked_path,
)

_BLOCK_BYTES = 512
_MAX_EXTENSION_BYTES = 16 << 20  # of all members together: long names, extended attributes of macOS
_INVALID = "is truncated or damaged (a header of tar is invalid)"
_SPARSE_FILE = "holds a sparse file: pack it again without holes"
_REGULAR, _HARD_LINK, _SPARSE = (b"0", b"\0", b"7"), b"1", b"S"
_FOLDERS_AND_LABELS = (b"5", b"D", b"V")  # D, a folder with a list of its files, and V, a name of the archive, of GNU
_WITHOUT_CONTENT = b"123456"  # links, devices, folders and pipes, whatever size they declare
_LONG_NAME, _LONG_LINK = b"L", b"K"  # of GNU
_PAX, _PAX_OF_ALL = (b"x", b"X"), b"g"


def members(file: IO[bytes], wanted: frozenset[str], max_bytes: int) -> Iterator[Member]:
    """The regular files of an archive; after the last one the checksum of the compression is checked.

    A hard link to a file whose name is `wanted` is left out behind a file of its name: it is a second copy.

    ContainerError if it is no tar archive, damaged, or unpacks to more than `max_bytes`, or a path leads upwards, or a
    wanted file is special.
    """
    without_file = set(wanted)
    stream = decompressed(file, max_bytes)
    count, extension_bytes = 0, 0
    name, size = "", None
    while header := _read_header(stream, is_first=count == 0):
        count += 1
        check_count(count)
        kind = header[156:157]
        if kind in (_LONG_NAME, _LONG_LINK, _PAX_OF_ALL, *_PAX):
            extension_bytes += _number(header[124:136])
            if extension_bytes > _MAX_EXTENSION_BYTES:
                raise ContainerError(f"has names and attributes of {extension_bytes:,} bytes, more than a data set has")
            extension = _read_extension(stream, _number(header[124:136]))
            if kind == _LONG_NAME:
                name = extension.rstrip(b"\0").decode(errors="surrogateescape")
            elif kind in _PAX:
                name, size = _pax_name_and_size(extension, name)
            continue
        name = name or _name(header)
        path = checked_path(name)
        size = _number(header[124:136]) if size is None else size
        content = _Content(stream, 0 if kind in _WITHOUT_CONTENT else size)
        if kind == _SPARSE:
            raise ContainerError(_SPARSE_FILE)
        if kind not in (*_REGULAR, *_FOLDERS_AND_LABELS):
            check_special(path, without_file if kind == _HARD_LINK else wanted)
        elif kind in _REGULAR and not name.endswith(("/", "\\")):  # which old programs end folders with
            without_file.discard(path.name)
            yield Member(path, size, io.BufferedReader(content, BUFFER_BYTES))
        content.skip()
        name, size = "", None
    while stream.read(BUFFER_BYTES):  # on behind the end mark of tar, to the checksum of the compression
        pass


def _read_header(stream: io.BufferedReader, *, is_first: bool) -> bytes:
    """A header; empty at the end mark, or at the end of a file that lacks it."""
    header = stream.read(_BLOCK_BYTES)
    if not header or not any(header):
        return b""
    wrong = ContainerError("is not a tar or ZIP archive" if is_first else _INVALID)
    if len(header) < _BLOCK_BYTES:
        raise wrong
    try:
        declared = int(header[148:156].strip(b" \0"), 8)
    except ValueError:
        raise wrong from None
    checked = header[:148] + b" " * 8 + header[156:]
    signed = sum(checked) - 256 * sum(byte > 127 for byte in checked)  # as some old programs add up
    if declared not in (sum(checked), signed):
        raise wrong
    return header


def _name(header: bytes) -> str:
    name, prefix = (field.partition(b"\0")[0] for field in (header[:100], header[345:500]))
    if header[257:263] == b"ustar\0" and prefix:
        name = prefix + b"/" + name
    return name.decode(errors="surrogateescape")


def _number(field: bytes) -> int:
    """A size: octal digits, or of GNU a big-endian number behind a set bit."""
    if field[0] & 0x80:
        return int.from_bytes(field) & ~(0x80 << 8 * (len(field) - 1))
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):  # `int` takes signs too
        raise ContainerError(_INVALID)
    return int(digits or b"0", 8)


def _read_extension(stream: io.BufferedReader, size: int) -> bytes:
    content = _Content(stream, size)
    data = io.BufferedReader(content, BUFFER_BYTES).read()
    content.skip()
    return data


def _pax_name_and_size(records: bytes, name: str) -> tuple[str, int | None]:
    """The name and size in PAX records, lines of `LENGTH KEY=VALUE`; by default `name` and None."""
    size, start = None, 0
    while records[start : start + 1].strip(b"\0"):
        length, space, _ = records[start : start + 16].partition(b" ")
        if not space or not length.isdigit() or not 0 < int(length) <= len(records) - start:
            raise ContainerError("is truncated or damaged (a header of PAX is invalid)")
        key, _, value = records[start : start + int(length)].removesuffix(b"\n")[len(length) + 1 :].partition(b"=")
        start += int(length)
        if key == b"path":
            name = value.decode(errors="surrogateescape")
        elif key == b"size" and value.isdigit() and len(value) < 20:
            size = int(value)
        elif key.startswith(b"GNU.sparse."):
            raise ContainerError(_SPARSE_FILE)
    return name, size


class _Content(io.RawIOBase):
    """The next `size` bytes of a stream."""

    def __init__(self, stream: io.BufferedReader, size: int) -> None:
        self._stream, self._left = stream, size
        self._padding = -size % _BLOCK_BYTES

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or a part of it; 0 at the end."""
        count = min(len(buffer), self._left)
        data = self._stream.read(count)
        if len(data) < count:
            raise ContainerError("is truncated")
        buffer[:count] = data
        self._left -= count
        return count

    def skip(self) -> None:
        """Read on to the next header."""
        while self._left > 0:
            self.readinto(memoryview(bytearray(min(self._left, BUFFER_BYTES))))
        self._stream.read(self._padding)
