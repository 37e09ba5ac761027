"""The folder of an export, written atomically by a rename. It replaces nothing but an earlier export."""

import contextlib
import fcntl
import glob
import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterator

from pipeline.common import errors, files, paths

IDENTITY = "export.json"
MODEL_CARD = "MODEL_CARD.md"
_FILES = {"type": "object", "minProperties": 1}
_SCHEMA = {"type": "object", "properties": {"files": _FILES}, "required": ["files"]}


def check(folder: pathlib.Path) -> None:
    """Check, before slow work, that an export can be written to a folder, and that nothing in there would be lost.

    Raises:
      errors.BadArgumentError: it is a file, holds something that no export wrote, or cannot be written.
      errors.FailedError: its `export.json` is not that of an export.
    """
    paths.check_folder(folder, "out")
    with files.writing("out", folder):
        if folder.exists():
            _check_content(folder)
        files.check_can_create_in(pathlib.Path(os.path.realpath(folder)).parent)  # the new folder is written beside it


def _check_content(folder: pathlib.Path) -> None:
    """Check that each entry is as an earlier export wrote it."""
    document = files.read_json(folder / IDENTITY, f"out={folder}: {IDENTITY}", "choose another --out", schema=_SCHEMA)
    known = document["files"] if document else {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name != IDENTITY and (name not in known or path.is_symlink() or known[name] != _digest(path)):
            raise errors.BadArgumentError(
                f"out={folder}: expected a new folder or an earlier export as it was written, got one with {name!r}, "
                "which was added or changed; move it to another folder, or choose another --out"
            )


def digests(folder: pathlib.Path) -> dict[str, str]:
    """SHA-256 of each file in a folder, "" of each folder in it, by its path there: `files` of `export.json`."""
    return {path.relative_to(folder).as_posix(): _digest(path) for path in sorted(folder.rglob("*"))}


def _digest(path: pathlib.Path) -> str:
    if path.is_dir():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def replacing(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """The path of a new folder beside `folder`, which it replaces at the end; an error removes it.

    Where `folder` is a symbolic link, its target is replaced.

    Raises:
      errors.BadArgumentError: as `check`.
      errors.FailedError: as `check`.
      errors.WriteError: the disk is full or fails.
    """
    check(folder)
    target = pathlib.Path(os.path.realpath(folder))
    with files.writing("out", target.parent, value=str(folder)):
        files.make_folder(target.parent)
        with _temporary(target) as staging:
            yield staging
            files.fsync_tree(staging)
            check(folder)  # somebody may have written there since
            former = target.with_name(files.partial_name(target.name))
            if target.exists():
                os.rename(target, former)
            try:
                os.rename(staging, target)
            except BaseException:
                if former.exists():
                    os.rename(former, target)
                raise
            files.fsync(target.parent)
            remove(former)
        _remove_abandoned(target)


@contextlib.contextmanager
def _temporary(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """A new folder beside `target`, locked where its file system has locks, and removed at the end if it is there."""
    staging = target.with_name(files.partial_name(target.name))
    staging.mkdir()
    descriptor = os.open(staging, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield staging
    finally:
        remove(staging)
        os.close(descriptor)


def _remove_abandoned(target: pathlib.Path) -> None:
    """Remove the folders beside `target` that killed exports left: nobody has locked them.

    One may be the former export, and so the new one has to be in its place.
    """
    stem, suffix = os.path.splitext(target.name)
    for path in target.parent.glob(f"{glob.escape(f'.{stem}.')}{'[0-9a-f]' * 8}.partial{glob.escape(suffix)}"):
        with contextlib.suppress(OSError):  # it is locked, a file, or another user's
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused where folders have no locks
                remove(path)
            finally:
                os.close(descriptor)


def remove(path: pathlib.Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
