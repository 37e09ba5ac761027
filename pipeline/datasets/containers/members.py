"""Reads the files of an archive or folder one after the other, in bounded memory and time."""

import io
import pathlib
import re
from collections.abc import Iterator

from pipeline.datasets.containers import tar_archive, zip_archive
from pipeline.datasets.containers.decompression import decompressed
from pipeline.datasets.containers.member import ContainerError, Member, check_count

_MAX_DEPTH = 3  # of folders inside a folder
_MAX_HEAD_BYTES = 1 << 12
# What people have in place of an archive or an image, by its first bytes, and what to do.
OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (
        rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--|error)",
        "is a web page: repeat the download, which failed",
    ),
    (rb'\s*\{\s*"', "is a message of a server: repeat the download, which failed"),
    (rb"version https://git-lfs", "is a pointer of Git LFS: run git lfs pull"),
    (rb"7z\xbc\xaf\x27\x1c", "is a 7z archive: unpack it"),
    (rb"Rar!\x1a\x07", "is a RAR archive: unpack it"),
    (rb"\x28\xb5\x2f\xfd", "is compressed by Zstandard: unpack it"),
    (rb"\x1f\x9d", "is compressed by compress: unpack it"),
    (rb"\x5d\0\0", "is compressed by LZMA: unpack it"),
    (rb"PAR1", "is a Parquet file without the ending .parquet"),
    (rb"\x89HDF", "is an HDF5 file"),
    (rb"\x80[\x02-\x05]|\(dp?\d*\r?\n|\}q", "is a pickle: pass the folder that holds it"),
)
_COMPRESSED = re.compile(rb"\x1f\x8b|\xfd7zXZ|BZh|PK\x03\x04")


def members(path: pathlib.Path, *, wanted: frozenset[str], max_bytes: int) -> Iterator[Member]:
    """The files of an archive or folder; the contents of those with other names than `wanted` may be missing.

    Raises:
      ContainerError: it is no archive, or damaged, or one of another kind, or unpacks to more than `max_bytes`.
      OSError: it cannot be read.
    """
    if path.is_dir():
        yield from _folder_members(path, wanted)
        return
    if not path.exists():
        raise ContainerError("no such file or folder")
    if not path.is_file():
        raise ContainerError("is neither a file nor a folder")
    if path.stat().st_size == 0:
        raise ContainerError("is an empty file")
    with path.open("rb") as file:
        is_zip = file.read(4) in zip_archive.MAGIC
        file.seek(0)
        if not is_zip:
            _check_is_tar(file, max_bytes)
        yield from zip_archive.members(file, wanted) if is_zip else tar_archive.members(file, wanted, max_bytes)


def _check_is_tar(file: io.BufferedReader, max_bytes: int) -> None:
    """Raise ContainerError for a file of another kind, by its first bytes."""
    packed = file.read(_MAX_HEAD_BYTES)
    file.seek(0)
    head = decompressed(file, max_bytes).read(_MAX_HEAD_BYTES)
    file.seek(0)
    if head[257:262] == b"ustar":
        return
    for pattern, problem in OTHER_FILES:
        if re.match(pattern, head):
            raise ContainerError(problem)
    if _COMPRESSED.match(packed) and _COMPRESSED.match(head):
        raise ContainerError("is compressed twice: unpack it once")


def _folder_members(path: pathlib.Path, wanted: frozenset[str]) -> Iterator[Member]:
    """The files of a folder and of the folders in it, the outer ones first."""
    level, count = [path], 0
    for _ in range(_MAX_DEPTH + 1):
        folders, level = level, []
        for folder in folders:
            for entry in _entries(folder, is_top=folder == path):
                count += 1
                check_count(count)
                relative = pathlib.PurePosixPath(entry.relative_to(path))
                if entry.is_dir():
                    level.append(entry)
                elif entry.is_file() and entry.name in wanted:  # not a pipe
                    with entry.open("rb") as file:
                        yield Member(relative, entry.stat().st_size, file)
                elif entry.is_file():
                    yield Member(relative, 0, io.BytesIO())


def _entries(folder: pathlib.Path, *, is_top: bool) -> list[pathlib.Path]:
    """The entries of a folder, in the order of their names."""
    try:
        return sorted(folder.iterdir())
    except PermissionError:  # such as lost+found
        if is_top:
            raise
        return []
