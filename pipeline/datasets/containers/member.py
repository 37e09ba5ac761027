"""A file of an archive or folder, and what all kinds of containers check."""

import dataclasses
import pathlib
import re
from typing import IO

MAX_MEMBERS = 100_000
BUFFER_BYTES = 1 << 18


class ContainerError(Exception):
    """The problem of an archive or folder, and where there is one the remedy."""


@dataclasses.dataclass(frozen=True)
class Member:
    """A regular file, whose content is read before the next one is taken."""

    path: pathlib.PurePosixPath
    size: int  # bytes, as declared
    file: IO[bytes]


def check_count(count: int) -> None:
    """Raise ContainerError for more files than any copy of a data set has."""
    if count > MAX_MEMBERS:
        raise ContainerError(f"holds more than {MAX_MEMBERS:,} files, more than a data set has")


def checked_path(name: str, *, is_special: bool) -> pathlib.PurePosixPath:
    """The path of a file in an archive; ContainerError for a path or a kind of file that no data set has.

    Nothing is extracted, so that none of them could do harm.
    """
    path = pathlib.PurePosixPath(name.replace("\\", "/"))  # as some programs on Windows write it
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name):
        raise ContainerError(f"holds {name[:200]!r}, a path that escapes its folder")
    if is_special:
        raise ContainerError(f"holds {name[:200]!r}, which is a link, a device or another special file")
    return path
