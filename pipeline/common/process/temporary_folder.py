"""A folder for the temporary files of one process, removed with the process, however that ends.

TensorFlow writes a file for each function that it converts to a graph, and leaves them when it is killed.
"""

import atexit
import contextlib
import fcntl
import functools
import os
import pathlib
import shutil
import tempfile

from pipeline.common import errors

PREFIX = "streaming-cifar100-"


@functools.cache  # once a process
def use() -> None:
    """Let this process and its children write their temporary files to a folder that is removed at exit.

    Folders of processes that were killed are removed too. The folder of a process is locked, by which others know that
    the process lives.

    Raises:
      errors.WriteError: no temporary file can be written.
    """
    try:
        parent = tempfile.gettempdir()
        _sweep(pathlib.Path(parent))
        folder = _create()
    except OSError as error:
        raise errors.WriteError(
            f"TMPDIR: temporary files cannot be written ({error.strerror}); free some space, or set TMPDIR to a folder "
            "that can be written"
        ) from error
    set_for_process(folder)
    atexit.register(_remove, folder, os.getpid())  # runs after what is registered later, such as matplotlib's removal


def set_for_process(folder: str) -> None:
    """Let this process and its children write their temporary files to an existing folder."""
    os.environ["TMPDIR"] = tempfile.tempdir = folder


def _create() -> str:
    """A new folder, locked where the file system has locks; elsewhere no process removes another's."""
    while True:
        folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        try:
            _lock(folder)
        except (BlockingIOError, FileNotFoundError):  # another process has taken it for one of a process that ended
            continue
        except OSError:
            return folder
        if os.path.isdir(folder):
            return folder


def _lock(folder: str | os.PathLike[str]) -> int:
    """Lock a folder until its descriptor is closed; OSError where another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sweep(parent: pathlib.Path) -> None:
    for path in parent.glob(f"{PREFIX}*-*"):
        # Also where a process could not lock its folder; numbers alone would not do between containers.
        if os.path.exists(f"/proc/{path.name.removeprefix(PREFIX).partition('-')[0]}"):
            continue
        with contextlib.suppress(OSError):  # it is in use, or another user's
            descriptor = _lock(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


def _remove(folder: str, pid: int) -> None:
    if os.getpid() == pid:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
