"""The cache of decoded images on the disk, which is written again where it is damaged.

chunks ─▶ cache/train-.../ (TensorFlow's files, checksums.json) ─▶ the same chunks
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import shutil
import sys

import tensorflow as tf

from pipeline.common import files, json_values, progress
from pipeline.datasets import prepared

CHECKSUMS = "checksums.json"  # of the other files


@dataclasses.dataclass(frozen=True)
class CacheOnDisk:
    """Stores the decoded examples as files in `folder`, written once, in one rename."""

    folder: str

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Chunks -> the same chunks, read from `folder`; errors as of `files.writing`."""
        folder = pathlib.Path(self.folder)
        if not self._is_whole():  # else it may be on read-only media, where nothing can be locked
            with self._writing(), prepared.lock(folder.parent):
                if not self._is_whole():  # by the previous holder of the lock
                    self._remove_damaged()
                    self._write(dataset)
        return tf.data.Dataset.load(_without_wildcards(folder))

    def check(self) -> None:
        """Raise errors.BadArgumentError where the files neither exist nor can be written."""
        with self._writing():
            if not os.path.exists(self.folder):
                files.check_writable(pathlib.Path(self.folder))

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        remedy = "make it writable and free some space, or use --cache=memory"
        return files.writing("cache", pathlib.Path(self.folder).parent, remedy, value="disk")

    def _write(self, dataset: tf.data.Dataset) -> None:
        folder = pathlib.Path(self.folder)
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        try:
            with progress.task(f"writing the disk cache {folder}"):
                dataset.save(str(partial))
            files.write_json(partial / CHECKSUMS, _checksums(partial))
            files.fsync_tree(partial)
            partial.rename(folder)
            files.fsync(folder.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _is_whole(self) -> bool:
        """Whether the files are there as they were written: TensorFlow waits for ever for what an empty one lacks."""
        folder = pathlib.Path(self.folder)
        try:
            return json_values.parse((folder / CHECKSUMS).read_bytes()) == _checksums(folder)
        except (OSError, ValueError):
            return False

    def _remove_damaged(self) -> None:
        folder = pathlib.Path(self.folder)
        if folder.is_dir():
            print(f"{folder}: the disk cache is damaged or of an earlier version; writing it again", file=sys.stderr)
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)


def _checksums(folder: pathlib.Path) -> dict[str, str]:
    """The SHA-256 of each file of a disk cache; CIFAR-100's take 0.2 s."""
    checksums = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS):
        with path.open("rb") as file:
            checksums[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return checksums


def _without_wildcards(folder: pathlib.Path) -> str:
    """A path of an existing folder for `tf.data.Dataset.load`, which takes others for patterns and reads nothing."""
    if not set("*?[\\") & set(str(folder)):
        return str(folder)
    return f"/proc/self/fd/{os.open(folder, os.O_RDONLY)}"  # open until this process ends: files are opened late
