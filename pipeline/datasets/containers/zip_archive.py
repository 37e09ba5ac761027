"""Reads the files of a ZIP archive."""

import io
import stat
import struct
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from pipeline.datasets.containers.decompression import limited
from pipeline.datasets.containers.member import ContainerError, Member, check_count, check_special, checked_path

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # the latter of an empty archive
_MAX_DIRECTORY_BYTES = 8 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_OTHER_METHODS = {9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES encryption"}
_ENCRYPTED = 1  # the bit of a member's flags


def members(file: IO[bytes], wanted: frozenset[str]) -> Iterator[Member]:
    """The regular files of an archive; those with other names than `wanted` are not read, and seem empty.

    ContainerError if it is damaged, or a path leads upwards, or a wanted file is special, encrypted, or compressed in a
    way that Python cannot read.
    """
    directory = _LimitedReads(file)
    try:
        archive = zipfile.ZipFile(directory)
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, struct.error) as error:
        raise ContainerError(f"is truncated or damaged ({error})") from error
    directory.limit = None
    check_count(len(archive.infolist()))
    for info in archive.infolist():
        path = checked_path(info.filename)
        if info.filename.endswith(("/", "\\")):  # a folder
            continue
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):  # 0: not packed on Unix
            check_special(path, wanted)
            continue
        if path.name not in wanted:
            yield Member(path, info.file_size, io.BytesIO())
            continue
        _check_readable(info)
        try:
            content = archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, struct.error) as error:
            raise ContainerError(f"holds {info.filename!r}, which cannot be read ({error}): unpack it") from error
        yield Member(path, info.file_size, limited(content, info.file_size))


def _check_readable(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise ContainerError(f"holds {info.filename!r} encrypted: unpack it with its password")
    if info.compress_type not in _METHODS:
        method = _OTHER_METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise ContainerError(f"holds {info.filename!r} compressed by {method}; expected Deflate: unpack it")


class _LimitedReads:
    """A file from which no more than `limit` bytes are read at once: a directory is read whole."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.limit: int | None = _MAX_DIRECTORY_BYTES

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        if self.limit is not None and size > self.limit:
            raise ContainerError(f"has a directory of {size:,} bytes; expected at most {self.limit:,}")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
