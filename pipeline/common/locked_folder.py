"""A folder locked by one process; the kernel releases the lock when the process ends."""

import contextlib
import fcntl
import pathlib
from collections.abc import Callable, Iterator

from pipeline.common import errors, files, paths, progress

LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: pathlib.Path, *, name: str = LOCK, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock of an existing folder; OSError where the lock file `name` cannot be written.

    Where another process holds it, `on_wait` is called before waiting; without it, errors.BusyError is raised.
    """
    with open(folder / name, "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if on_wait is None:
                raise errors.BusyError(
                    f"{folder}: another process, or another run in this process, is using it"
                ) from error
            on_wait()
            with progress.task(f"waiting for the process that works in {folder}"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def open_locked(folder: pathlib.Path, *, flag: str, identity: str) -> Iterator[None]:
    """Create a folder (and its parents) unless it exists, and hold its lock; `files.writing` within.

    Errors name its `flag`, such as `run_dir`; the JSON file `identity`, such as `config.json`, is in every folder of
    this kind.

    Raises:
      errors.BadArgumentError: it is a file or a folder of another kind, or cannot be written.
      errors.BusyError: another process holds the lock.
      errors.FailedError: the disk is full or fails.
    """
    check_content(folder, flag=flag, identity=identity)
    with contextlib.ExitStack() as stack:
        stack.enter_context(files.writing(flag, folder))
        files.make_folder(folder)
        try:
            stack.enter_context(locked(folder))
        except errors.BusyError as error:
            raise errors.BusyError(f"{flag}={error}") from error
        yield


def check_content(folder: pathlib.Path, *, flag: str, identity: str) -> None:
    """Check that a folder is missing, empty, or of its kind; arguments and errors as in `open_locked`."""
    paths.check_folder(folder, flag)
    if not folder.exists() or (folder / identity).exists():
        return
    leftovers = (LOCK, files.partial_name(identity), f".{identity}.partial")  # the last one from earlier versions
    for entry in folder.iterdir():
        if entry.name not in leftovers:
            kind = flag.removesuffix("_dir")
            raise errors.BadArgumentError(
                f"{flag}={folder}: expected a new folder or a {kind}'s, got one with {entry.name!r}; "
                f"choose another --{flag}"
            )
