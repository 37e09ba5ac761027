"""A file of an archive or folder, and what all kinds of containers check."""

import dataclasses
import pathlib
import re
from collections.abc import Collection
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


def checked_path(name: str) -> pathlib.PurePosixPath:
    """The path of a file in an archive, relative as tar extracts it; ContainerError for one that leads upwards.

    Nothing is extracted, so that none of them could do harm.
    """
    path = pathlib.PurePosixPath(name.replace("\\", "/").lstrip("/"))  # "\\" as some programs on Windows write it
    if ".." in path.parts or re.match("[A-Za-z]:", name):
        raise ContainerError(f"holds {name[:200]!r}, a path that escapes its folder")
    return path


def check_special(path: pathlib.PurePosixPath, wanted: Collection[str]) -> None:
    """Raise ContainerError for a link, a device or another special file in place of a wanted file."""
    if path.name in wanted:
        raise ContainerError(
            f"holds {str(path)[:200]!r}, which is a link, a device or another special file: pack the file itself"
        )
