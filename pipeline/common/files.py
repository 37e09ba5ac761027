"""Atomic writes of files: a temporary file in the same folder, renamed when it is complete."""

import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def replacing(path: pathlib.Path, *, durable: bool = False) -> Iterator[pathlib.Path]:
    """The path of a temporary file, of the same suffix, that replaces `path` at the end; an error removes it.

    With `durable` the content survives a power failure.
    """
    temporary = path.with_name(partial_name(path.name))
    try:
        yield temporary
        if durable:
            fsync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        fsync(path.parent)


def check_writable(path: pathlib.Path) -> None:
    """Raise OSError unless a file can be created in the folder of `path`, or in the nearest one above that exists."""
    nearest = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    with tempfile.TemporaryFile(dir=nearest):  # permissions do not tell, in /proc or for root
        pass


def partial_name(name: str) -> str:
    """The name of a file's temporary file."""
    stem, suffix = os.path.splitext(name)
    return f".{stem}.partial{suffix}"


def write_text(path: pathlib.Path, text: str, *, durable: bool = False) -> None:
    """Write `text` in UTF-8, atomically."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: pathlib.Path, value: Any, *, indent: int | None = 1, durable: bool = False) -> None:
    """Write `value` as JSON, atomically; a number that is not finite raises ValueError."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n", durable=durable)


def read_json(path: pathlib.Path) -> Any | None:
    """The value of a JSON file; None for a missing or damaged file, or one whose folder is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def fsync(path: pathlib.Path) -> None:
    """Write a file's content or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
