"""Which files would be whole after a power failure: a record of what this process synchronizes with the disk.

It needs no process of its own and no C compiler, and also shows files that are not replaced by a rename, unlike
tests/faults/tracing/disk.py, which simulates the power failure of a traced command.
"""

import os
import pathlib

import pytest

EXEMPT = {".lock", "tensorboard", "workers", "calls.txt"}  # the last one of tests/tuning/stub_training.py


class DiskRecord:
    """Records `os.fsync` and `os.replace` from now on, until the test ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.contents: dict[int, bytes] = {}  # of files, by inode, at their last fsync
        self.entries: dict[pathlib.Path, dict[str, int]] = {}  # of folders, at their last fsync: inodes by name
        self.replaced: set[pathlib.Path] = set()
        self.too_early: list[pathlib.Path] = []  # renamed before their content was synchronized
        self._fsync, self._replace = os.fsync, os.replace
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "replace", self.replace)

    def fsync(self, descriptor: int) -> None:
        self._fsync(descriptor)
        path = pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_dir():
            self.entries[path] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self.contents[os.fstat(descriptor).st_ino] = path.read_bytes()

    def replace(self, source: os.PathLike, target: os.PathLike) -> None:
        source = pathlib.Path(source)
        if self.contents.get(source.stat().st_ino) != source.read_bytes():
            self.too_early.append(pathlib.Path(target))
        self._replace(source, target)
        self.replaced.add(pathlib.Path(target).resolve())

    def lost(self, root: pathlib.Path, *, appended: tuple[str, ...] = ()) -> dict[str, str]:
        """What a power failure could take from a folder, with the reason; files named `appended` are not replaced."""
        lost = {str(path): "renamed before its content was synchronized" for path in self.too_early}
        for path in (root, *root.resolve().rglob("*")):
            name, inode = str(path.relative_to(root)), path.stat().st_ino
            if EXEMPT.intersection(path.relative_to(root).parts):
                continue
            if self.entries.get(path.parent, {}).get(path.name) != inode:
                lost[name] = "its folder was not synchronized"
            if path.is_file() and self.contents.get(inode) != path.read_bytes():
                lost[name] = "its content was not synchronized"
            if path.is_file() and path not in self.replaced and path.name not in appended:
                lost[name] = "written under its own name"
        for folder, entries in self.entries.items():
            if folder.is_relative_to(root.resolve()) and folder.is_dir():
                for gone in entries.keys() - {path.name for path in folder.iterdir()} - EXEMPT:
                    lost[str((folder / gone).relative_to(root.resolve()))] = "its removal was not synchronized"
        return lost
