"""Decompresses a file in bounded memory."""

import gzip
import io
from collections.abc import Callable
from typing import IO, Any

from pipeline.datasets.containers.member import BUFFER_BYTES, ContainerError

GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_MAX_XZ_MEMORY_BYTES = 128 << 20  # `xz -9` takes 65 MiB; a header may declare 4 GiB


def decompressed(file: IO[bytes], max_bytes: int) -> io.BufferedReader:
    """The content of a file by gzip, bzip2 or xz, or of any other file as it is.

    Reading damaged data or more than `max_bytes` raises ContainerError.
    """
    head = file.read(len(XZ))
    file.seek(0)
    stream: IO[bytes] | io.BufferedIOBase | io.RawIOBase = file
    if head.startswith(GZIP):
        stream = gzip.GzipFile(fileobj=file)
    elif head.startswith(BZIP2):
        stream = _Decompressed(file, _bzip2)
    elif head.startswith(XZ):
        stream = _Decompressed(file, _xz)
    return limited(stream, max_bytes)


def limited(stream: Any, max_bytes: int) -> io.BufferedReader:
    """A buffered reader of a decompressed stream; damaged data and more than `max_bytes` raise ContainerError."""
    return io.BufferedReader(_Limited(stream, max_bytes), BUFFER_BYTES)


def _bzip2() -> Any:
    import bz2  # which a Python that was built without the library lacks

    return bz2.BZ2Decompressor()


def _xz() -> Any:
    import lzma  # likewise

    return lzma.LZMADecompressor(memlimit=_MAX_XZ_MEMORY_BYTES)


class _Decompressed(io.RawIOBase):
    """The content of one or more compressed streams; Python's LZMAFile has no limit of memory."""

    def __init__(self, file: IO[bytes], new_decompressor: Callable[[], Any]) -> None:
        self._file, self._new_decompressor = file, new_decompressor
        try:
            self._decompressor = new_decompressor()
        except ImportError as error:
            raise ContainerError(f"is compressed in a way that this Python cannot read ({error}): unpack it") from error

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or a part of it; 0 at the end."""
        while True:
            data = b""
            if self._decompressor.eof:
                data = self._decompressor.unused_data or self._file.read(BUFFER_BYTES)
                data = data.lstrip(b"\0")  # padding between streams
                if not data:
                    return 0
                self._decompressor = self._new_decompressor()
            elif self._decompressor.needs_input:
                data = self._file.read(BUFFER_BYTES)
                if not data:
                    raise EOFError("the compressed data end early")
            content = self._decompressor.decompress(data, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)


class _Limited(io.RawIOBase):
    """A stream that raises an error for damaged data, and for more than `limit` bytes (a decompression bomb)."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream, self._limit, self._num_bytes = stream, limit, 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or a part of it; 0 at the end."""
        try:
            count = self._stream.readinto(buffer)
        except ContainerError:
            raise
        except Exception as error:  # of zlib, gzip, bz2, lzma, zipfile: each has its own
            if isinstance(error, OSError) and error.errno is not None:  # of the disk
                raise
            raise ContainerError(f"is truncated or damaged ({error})") from error
        self._num_bytes += count
        if self._num_bytes > self._limit:
            raise ContainerError(f"unpacks to more than {self._limit >> 20} MiB, more than a data set has")
        return count
