"""A folder locked by one process; the kernel releases the lock when the process ends.

The lock is an flock of a file in the folder. Where its file system has none (Lustre without `-o flock`, NFS with
`nolock`), the lock is a Unix socket of this machine, and a warning says that other machines are not kept out.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import pathlib
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator

from pipeline.common import errors, files, paths, progress
from pipeline.common.process import worker_process

LOCK = ".lock"
# EBADF: NFS makes the flock a record lock, which needs a file that is open for writing.
_NO_FLOCK = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)
_POLL_SECONDS = 0.2
_warned: set[int] = set()  # devices


@contextlib.contextmanager
def locked(folder: pathlib.Path, *, name: str = LOCK, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Create a folder (and its parents) unless it exists, and hold its lock; OSError where that fails.

    Where another process holds it, `on_wait` is called before waiting; without it, errors.BusyError is raised. At the
    end, the lock file `name` is removed from a folder without other files, and with it the folders that were created.
    """
    worker_process.end_rerun()  # before it waits for its parent
    path = folder / name
    while True:
        with files.made_folder(folder), contextlib.ExitStack() as stack:
            file = _open(path)
            stack.callback(os.close, file)
            if not _acquire(file, folder, stack):
                if on_wait is None:
                    raise errors.BusyError(f"{folder}: another process, or another run in this process, is using it")
                on_wait()
                with progress.task(f"waiting for the process that works in {folder}"):
                    while not _acquire(file, folder, stack):
                        time.sleep(_POLL_SECONDS)
            if _is_same(file, path):  # else its former holder has removed it, and others lock another file
                stack.callback(_remove_lone, path)
                yield
                return


def _is_same(file: int, path: pathlib.Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file), path.stat())


def _remove_lone(path: pathlib.Path) -> None:
    """Remove a lock file from a folder without other files, unless that fails."""
    with contextlib.suppress(OSError):
        if os.listdir(path.parent) == [path.name]:
            path.unlink()


def _open(path: pathlib.Path) -> int:
    """The descriptor of a lock file, created where missing; another user's is opened for reading or replaced.

    A replaced one would no longer keep others out. Each is therefore readable by all users, whatever the umask, and
    only one that stays unreadable is replaced: of an earlier version, or of a process that was killed as it made it.
    """
    create = os.O_RDWR | os.O_CREAT
    try:
        file = os.open(path, create, 0o666)
    except FileNotFoundError:  # the folder's former holder has just removed it
        files.make_folder(path.parent)
        file = os.open(path, create, 0o666)
    except PermissionError:
        if not path.exists():
            raise
        for seconds in (0.0, _POLL_SECONDS):  # the process that makes it may be about to make it readable
            time.sleep(seconds)
            with contextlib.suppress(PermissionError):
                return os.open(path, os.O_RDONLY)
        path.unlink()
        file = os.open(path, create, 0o666)
    with contextlib.suppress(OSError):  # of another user's file, or of a file system without permissions
        os.fchmod(file, stat.S_IMODE(os.fstat(file).st_mode) | 0o444)
    return file


def _acquire(file: int, folder: pathlib.Path, stack: contextlib.ExitStack) -> bool:
    """Take the lock for as long as the stack lasts; whether no other process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_FLOCK:
            raise
        reason = error.strerror
    bound = stack.enter_context(socket.socket(socket.AF_UNIX))
    # In Linux's abstract namespace, which needs no file and has names of at most 107 bytes.
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()
    try:
        bound.bind(f"\0streaming-cifar100-{name}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            bound.close()
            return False
        reason = error.strerror  # a sandbox
    device = os.fstat(file).st_dev
    if device not in _warned:
        _warned.add(device)
        print(
            f"warning: {folder}: cannot be locked on its file system ({reason}); do not work in it from another "
            "machine at the same time",
            file=sys.stderr,
            flush=True,
        )
    return True


@contextlib.contextmanager
def open_locked(folder: pathlib.Path, *, flag: str, identity: str) -> Iterator[None]:
    """Create a folder (and its parents) unless it exists, and hold its lock; `files.writing` within.

    Temporary files that killed processes left in the folder are removed. An error before anything but a new `identity`
    was written leaves the folder as it was.

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
        try:
            stack.enter_context(locked(folder))
            files.check_writable(folder / LOCK)  # another user's lock file may be the only one that can be opened
        except errors.BusyError as error:
            raise errors.BusyError(f"{flag}={error}") from error
        sweep(folder)
        is_new = not (folder / identity).exists()
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):  # of a disk that became read-only: the first error is the one to report
                if is_new and {*os.listdir(folder)} == {LOCK, identity}:
                    (folder / identity).unlink()
            raise


def sweep(folder: pathlib.Path) -> None:
    """Remove the temporary files of `files.replacing`, but for those in folders within that have a lock of their own.

    Another process may work there, such as a worker that trains a trial.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not os.path.lexists(os.path.join(parent, name, LOCK))]
        for name in filter(files.is_partial, names):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(parent, name))


def check_available(folder: pathlib.Path, *, flag: str, identity: str) -> None:
    """Check, before slow work, what `open_locked` will; arguments and errors as there. Creates no folder."""
    check_content(folder, flag=flag, identity=identity)
    if folder.exists():
        with open_locked(folder, flag=flag, identity=identity):
            return
    files.check_folder_writable(flag, folder)


def check_content(folder: pathlib.Path, *, flag: str, identity: str) -> None:
    """Check that a folder is missing, empty, or of its kind; arguments and errors as in `open_locked`."""
    paths.check_folder(folder, flag)
    if not folder.exists() or (folder / identity).exists():
        return
    for entry in folder.iterdir():
        if entry.name != LOCK and not files.is_partial(entry.name):
            kind = flag.removesuffix("_dir")
            raise errors.BadArgumentError(
                f"{flag}={folder}: expected a new folder or a {kind}'s, got one with {entry.name!r}; "
                f"choose another --{flag}"
            )
