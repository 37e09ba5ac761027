"""A disk on which only what was synchronized survives a power failure, as POSIX guarantees no more.

Written bytes survive once the file is fsynced, and names (of new, renamed and removed files) once their folder is.
"""

import dataclasses
import itertools
import os
import pathlib
import shutil

from tests.faults.tracing.tracer import Operation

NAMES = ("create", "mkdir", "rename", "unlink", "rmdir")
BYTES = ("write", "half", "flush", "resize", "truncate")


@dataclasses.dataclass
class _Change:
    """A change of names that may not have reached the disk yet."""

    kind: str
    path: pathlib.Path
    second: pathlib.Path
    former: pathlib.Path | None  # the file that it replaced or removed, in `graveyard`
    is_durable: bool = False

    @property
    def place(self) -> pathlib.Path:
        """The entry whose folder must be synchronized."""
        return self.second if self.kind == "rename" else self.path


class Disk:
    """What of a folder's changes has reached the disk; `graveyard` is an empty folder on the same file system."""

    def __init__(self, graveyard: pathlib.Path) -> None:
        self._graveyard = graveyard
        self._changes: list[_Change] = []
        self._synced_bytes: dict[int, int] = {}  # of an inode that has changed since: what has reached the disk
        self._sizes: dict[int, int] = {}  # of an inode: its size when it was synchronized
        self._numbers = itertools.count()

    def observe(self, operation: Operation) -> None:
        """Note an operation that is about to happen."""
        kind, path = operation.kind, operation.path
        if kind in NAMES:
            replaced = operation.second if kind == "rename" else path if kind == "unlink" else None
            self._changes.append(_Change(kind, path, operation.second, self._bury(replaced)))
        elif kind in BYTES and path.exists():
            inode = path.stat().st_ino
            self._synced_bytes.setdefault(inode, self._sizes.get(inode, 0))
            if kind == "truncate":
                self._synced_bytes[inode] = 0
        elif kind == "fsync" and path.is_dir():
            for place, change in enumerate(self._changes):
                later = self._changes[place + 1 :]
                change.is_durable |= self._now(change.place.parent, later, only_durable=False) == path
        elif kind == "fsync" and path.exists():
            status = path.stat()
            self._synced_bytes.pop(status.st_ino, None)
            self._sizes[status.st_ino] = status.st_size

    def lose_power(self, folder: pathlib.Path, *, loses_names: bool) -> list[str]:
        """Leave in `folder` what has reached the disk; return the names of what was lost, relative to it.

        With `loses_names` no change of names that was not synchronized has reached it, otherwise all have: a file
        system is free to choose. Its processes must have ended.
        """
        lost = []
        if loses_names:
            for place, change in reversed(list(enumerate(self._changes))):
                later = self._changes[place + 1 :]
                if not change.is_durable and not self._is_superseded(change, later):
                    self._undo(change, later)
                    lost.append(f"{change.kind} {os.path.relpath(change.place, folder)}")
        for path in folder.rglob("*"):
            kept = self._synced_bytes.get(path.stat().st_ino) if path.is_file() else None
            if kept is not None and kept < path.stat().st_size:
                os.truncate(path, kept)
                lost.append(f"bytes of {path.relative_to(folder)}")
        return lost

    def _bury(self, path: pathlib.Path | None) -> pathlib.Path | None:
        """Keep a file that is about to lose its name by a second one."""
        if path is None or not path.is_file():
            return None
        kept = self._graveyard / str(next(self._numbers))
        os.link(path, kept)
        return kept

    def _undo(self, change: _Change, later: list[_Change]) -> None:
        path, second = (self._now(name, later) for name in (change.path, change.second))
        if not path.parent.is_dir():  # its removal has reached the disk, and all that was in it went with it
            return
        if change.kind == "create":
            path.unlink(missing_ok=True)
        elif change.kind == "mkdir":
            shutil.rmtree(path, ignore_errors=True)
        elif change.kind == "rmdir":
            path.mkdir(exist_ok=True)
        elif change.kind == "rename" and second.exists():
            second.rename(path)
        place = second if change.kind == "rename" else path
        if change.former and not place.exists():
            place.hardlink_to(change.former)

    @staticmethod
    def _is_superseded(change: _Change, later: list[_Change]) -> bool:
        """Whether the file or folder has had another name since, which has reached the disk."""
        return any(other.kind == "rename" and other.is_durable and other.path == change.place for other in later)

    @staticmethod
    def _now(path: pathlib.Path, later: list[_Change], *, only_durable: bool = True) -> pathlib.Path:
        """The path of what had this path, after the later renames, or those of them that have reached the disk."""
        for change in later:
            is_counted = change.kind == "rename" and (change.is_durable or not only_durable)
            if is_counted and path.is_relative_to(change.path):
                path = change.second / path.relative_to(change.path)
        return path
