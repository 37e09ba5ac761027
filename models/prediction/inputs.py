"""The image files that a command's arguments stand for. Nothing here reads an image."""

import glob
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pipeline.common import errors
from pipeline.datasets.folder import walk

STDIN = "-"


def find(arguments: Sequence[str], stdin: BinaryIO) -> list[str]:
    """The paths of files, as the arguments name them, in their order; those of a folder or a pattern are sorted.

    An argument is a file, a folder with folders in it (`walk` says which files count), a pattern with `*`, `?`, `[` or
    `**`, or `-`: a list of files and folders on `stdin`, one a line or each ended by a NUL byte. A file whose name has
    such characters is not taken for a pattern. What does not exist stays, as a path that cannot be read.

    Raises:
      errors.BadArgumentError: nothing exists of what the arguments stand for.
      OSError: a folder cannot be listed.
    """
    paths = [path for argument in arguments for path in _paths(argument, stdin)]
    if not any(map(os.path.lexists, paths)):
        names = " ".join(arguments)
        raise errors.BadArgumentError(f"no image found in {names}: expected files, folders, quoted patterns, or -")
    return paths


def _paths(argument: str, stdin: BinaryIO) -> Iterator[str]:
    if argument == STDIN:
        for line in _lines(stdin.read()):
            yield from _below(line)
    elif os.path.lexists(argument):
        yield from _below(argument)
    else:
        pattern = os.path.expanduser(argument)  # a shell leaves a quoted one alone
        matches = sorted(glob.iglob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]
        holds_folders = "**" not in pattern  # which matches what is in folders too
        for match in matches or [argument]:
            if holds_folders or not os.path.isdir(match):
                yield from _below(match)


def _lines(content: bytes) -> list[str]:
    separator = b"\0" if b"\0" in content else b"\n"
    return [os.fsdecode(line) for line in content.split(separator) if line]


def _below(path: str) -> Iterator[str]:
    """The files in a folder, each as the folder's path and its own below; any other path itself."""
    if os.path.isdir(path):
        for name in walk.walk(pathlib.Path(path)).images:
            yield os.path.join(path, name)
    else:
        yield path
