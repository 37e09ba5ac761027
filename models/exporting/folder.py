"""The folder of an export, which appears whole by a rename, and replaces an earlier export only."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

from pipeline.common import errors, files, paths

IDENTITY = "export.json"


def check(folder: pathlib.Path) -> None:
    """Check, before slow work, that an export can be written to a folder.

    Raises:
      errors.BadArgumentError: it is a file, holds something else, or cannot be written.
    """
    paths.check_folder(folder, "out")
    if folder.exists() and not (folder / IDENTITY).exists() and any(folder.iterdir()):
        raise errors.BadArgumentError(
            f"out={folder}: expected a new folder or an earlier export's, got one with {min(os.listdir(folder))!r}; "
            "choose another --out"
        )
    with files.writing("out", folder):
        files.check_writable(folder)


@contextlib.contextmanager
def replacing(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """The path of a new folder beside `folder`, which it replaces at the end; an error removes it.

    Raises:
      errors.BadArgumentError: as `check`.
      errors.WriteError: the disk is full or fails.
    """
    check(folder)
    with files.writing("out", folder.absolute().parent, value=str(folder)):
        files.make_folder(folder.absolute().parent)
        staging = folder.absolute().with_name(files.partial_name(folder.absolute().name))
        staging.mkdir()
        try:
            yield staging
            files.fsync_tree(staging)
            check(folder)  # somebody may have written there since
            former = folder.absolute().with_name(files.partial_name(folder.absolute().name))
            if folder.exists():
                os.rename(folder, former)
            os.rename(staging, folder)
            files.fsync(folder.absolute().parent)
            remove(former)
        finally:
            remove(staging)


def remove(path: pathlib.Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
