"""Atomic, durable writes of files: a temporary file in the same folder, synchronized, and renamed when it is complete.

After a power failure a file is the former one or the new one, whole.
"""

import contextlib
import errno
import fcntl
import glob
import json
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.common import errors, json_values

# The place is wrong; with other errors, such as those of a full disk or a file server, it is right.
WRONG_PLACE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL),
)
_NO_FILE = (errno.EISDIR, errno.EINVAL)  # a folder, a device or a pipe, which need not be made writable
_REMEDIES = {
    errno.ENOSPC: "free some space or files (df, df -i) and run the same command again",
    errno.EDQUOT: "free some space of the quota and run the same command again",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f) and run the same command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n) and run the same command again",
    errno.EIO: "check the disk (dmesg) and run the same command again",
}
_NUMBERS = {os.strerror(number): number for number in errno.errorcode}
# A line of an OpError of a failed file operation is `{{node ...}} PATH; REASON [Op:...]`. Its class does not tell the
# number: a full disk and too little memory are both a ResourceExhaustedError.
_OF_TENSORFLOW = re.compile(
    rf"^(?:{{{{.*?}}}} )?(?P<path>.+?); (?P<reason>{'|'.join(map(re.escape, _NUMBERS))})(?= \[Op:|$)", re.MULTILINE
)


@contextlib.contextmanager
def replacing(path: pathlib.Path, *, previous: pathlib.Path | None = None) -> Iterator[pathlib.Path]:
    """The path of a new temporary file, of the same suffix, that replaces `path` at the end; an error removes it.

    Processes that replace the same file at the same time have one each. The replaced file is renamed to `previous`, if
    given. An OSError names `path`; it is raised too where something else than a file is there.
    """
    try:
        _check_is_file(path)
        _remove_abandoned(path)
        with _temporary(path) as temporary:
            yield temporary
            fsync(temporary)
            if previous is not None and path.exists():
                os.replace(path, previous)
            os.replace(temporary, path)
            fsync(path.parent)
    except OSError as error:
        if error.errno is None:  # a library's own message, such as HDF5's
            raise OSError(errno.EIO, str(error), str(path)) from error
        named = _path(error)
        if named is None or is_partial(named.name):
            error.filename, error.filename2 = str(path), None
        raise


def _check_is_file(path: pathlib.Path) -> None:
    """Raise OSError where a folder or a device is there, or a link of /dev such as /dev/stdout: root could."""
    if path.is_dir():
        raise OSError(errno.EISDIR, "expected a file, got a folder", str(path))
    if path.exists() and (not path.is_file() or os.path.realpath(path.parent) == "/dev"):
        raise OSError(errno.EINVAL, "expected a file, got a device or a pipe", str(path))


@contextlib.contextmanager
def _temporary(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A new file beside `path`, locked where its file system has locks, and removed at the end if it is still there."""
    while True:
        temporary = path.with_name(partial_name(path.name))
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if temporary.exists():  # else another process removed it before it was locked
                yield temporary
                return
        finally:
            with contextlib.suppress(OSError):  # of a disk that became read-only: the first error is the one to report
                temporary.unlink(missing_ok=True)
            os.close(descriptor)


def _remove_abandoned(path: pathlib.Path) -> None:
    """Remove the temporary files of `path` whose processes were killed: nobody has locked them."""
    stem, suffix = os.path.splitext(path.name)
    for temporary in path.parent.glob(f"{glob.escape(f'.{stem}.')}*partial{glob.escape(suffix)}"):
        with contextlib.suppress(OSError):  # it is locked, or another user's
            descriptor = os.open(temporary, os.O_RDONLY | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                temporary.unlink()
            finally:
                os.close(descriptor)


def make_folder(path: pathlib.Path) -> None:
    """Create a folder and its parents, durably, unless it exists."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        fsync(path.parent)


@contextlib.contextmanager
def made_folder(path: pathlib.Path) -> Iterator[None]:
    """A context in which a folder exists; at its end, those of the path that it created are removed if empty."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        make_folder(path)
        yield
    finally:
        with contextlib.suppress(OSError):  # the first one that is not empty
            for folder in missing:
                folder.rmdir()


@contextlib.contextmanager
def writing(flag: str, place: pathlib.Path, remedy: str = "", value: str = "") -> Iterator[None]:
    """A context in which a failed write in `place`, a folder or a file, becomes one line that names its `flag`.

    An error that names another file passes. Without `remedy` it follows from the error; without `value`, the flag's is
    `place`.

    Raises:
      errors.BadArgumentError: nothing can be written there.
      errors.WriteError: the disk is full or fails.
    """
    try:
        yield
    except Exception as caught:
        error = os_error(caught)
        name = error and _name_within(place, error)
        if error is None or name is None:
            raise
        choice = f"choose another --{flag}"
        default = choice if error.errno in _NO_FILE else f"make it writable, or {choice}"
        advice = remedy or _REMEDIES.get(error.errno or 0, default)
        problem = f"{name}cannot be written ({error.strerror}); {advice}"
        kind = errors.BadArgumentError if error.errno in WRONG_PLACE else errors.WriteError
        raise kind(f"{flag}={value}: {place}: {problem}" if value else f"{flag}={place}: {problem}") from caught


def _name_within(place: pathlib.Path, error: OSError) -> str | None:
    """How a line names the file of an error in `place`, nothing for that itself; None for a file elsewhere."""
    place, path = place.absolute(), _path(error)
    if path is None:  # of a descriptor, which may be a file's, a pipe's or a connection's
        return "" if error.errno in _REMEDIES else None
    if place.is_relative_to(path):  # a folder above may be read-only
        return ""
    return f"{path.relative_to(place)} " if path.is_relative_to(place) else None


def _path(error: OSError) -> pathlib.Path | None:
    name = error.filename
    return pathlib.Path(os.fsdecode(name)).absolute() if isinstance(name, str | bytes | os.PathLike) else None


def os_error(error: BaseException) -> OSError | None:
    """The failed file operation that an error of Python, TensorFlow or TFDS is; None for another error."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    if type(error) is RuntimeError or isinstance(error, OSError):  # as TFDS makes them of others
        return None if error.__cause__ is None else os_error(error.__cause__)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
        return None
    failed = _OF_TENSORFLOW.search(error.message)
    return failed and OSError(_NUMBERS[failed["reason"]], failed["reason"], failed["path"])


def described(error: OSError) -> str:
    """One line on a failed file operation that no flag asked for: the path, the reason and what to do."""
    advice = "correct the path or its permissions" if error.errno in WRONG_PLACE else "run the same command again"
    return f"{_path(error) or 'a file'}: {error.strerror}; {_REMEDIES.get(error.errno or 0, advice)}"


def check_writable(path: pathlib.Path) -> None:
    """Raise OSError unless a file can be written in `path`, which may be new."""
    _check_is_file(path)
    check_can_create_in(path.absolute().parent)


def check_can_create_in(folder: pathlib.Path) -> None:
    """Raise OSError unless files can be created in an absolute folder, or in the nearest one above that exists."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    try:
        with tempfile.TemporaryFile(dir=nearest):  # permissions do not tell, in /proc or for root
            pass
    except OSError as error:
        error.filename = str(nearest)  # instead of the temporary file
        raise


def check_folder_writable(flag: str, folder: pathlib.Path) -> None:
    """Check, before slow work, that files can be written to a folder, new or not; errors as of `writing`."""
    with writing(flag, folder):
        check_can_create_in(folder.absolute())


def partial_name(name: str) -> str:
    """A new name of a temporary file of a file."""
    stem, suffix = os.path.splitext(name)
    return f".{stem}.{os.urandom(4).hex()}.partial{suffix}"


def is_partial(name: str) -> bool:
    """Whether a file's name is one that `partial_name` returns, or returned in earlier versions."""
    stem, suffix = os.path.splitext(name)
    return name.startswith(".") and ".partial" in (suffix, os.path.splitext(stem)[1])


def write_text(path: pathlib.Path, text: str) -> None:
    """Write `text` in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: pathlib.Path, value: Any) -> None:
    """Write `value` as JSON; a number that is not finite raises ValueError."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(
    path: pathlib.Path,
    where: str,
    remedy: str,
    *,
    schema: Mapping[str, Any] | None = None,
    check: Callable[[Any], object] = lambda value: None,
) -> Any | None:
    """The value of a JSON file, in any Unicode encoding; None where the file is missing.

    Args:
      path: of the file.
      where: how errors begin, such as `run_dir=runs/a: report.json`.
      remedy: how errors end: what to do.
      schema: JSON Schema that the value has to keep.
      check: raises ValueError, or errors.NewerVersionError, for a value that is not what was written.

    Raises:
      errors.DamagedError: the file holds something else.
      errors.FailedError: the file cannot be read, or a newer version wrote it.
    """
    with reading(where, remedy):
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        value = json_values.parse(data, schema)
        check(value)
        return value


@contextlib.contextmanager
def reading(where: str, remedy: str) -> Iterator[None]:
    """A context in which an error of a file's content or of its reading becomes one line; arguments as `read_json`."""
    try:
        yield
    except errors.NewerVersionError as error:
        raise errors.FailedError(
            f"{where} was written by a newer version ({error}); update streaming-cifar100, or {remedy}"
        ) from error
    except OSError as error:
        raise errors.FailedError(f"{where} cannot be read ({error.strerror or error}); {remedy}") from error
    except ValueError as error:
        raise damaged(where, remedy, error) from error


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """A context in which whatever NumPy, zipfile, Pillow or TFDS raises for a file's content becomes a ValueError.

    Too little memory and failed file operations are no such errors.
    """
    try:
        yield
    except (MemoryError, ValueError, errors.FailedError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # None is a library's own
            raise
        raise ValueError(f"{type(error).__name__}: {error}") from error


def damaged(where: str, remedy: str, problem: object) -> errors.DamagedError:
    """The error of a damaged file; arguments as `read_json`, and what is wrong with its content."""
    return errors.DamagedError(f"{where} is damaged ({problem}); {remedy}")


def fsync(path: pathlib.Path) -> None:
    """Write a file's content or a folder's entries to the disk; a folder's where its file system can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # As PostgreSQL does: a folder may be unreadable, and CIFS and some FUSE file systems synchronize no folders.
        if not (path.is_dir() and error.errno in (errno.EACCES, errno.EBADF, errno.EINVAL)):
            raise


def fsync_tree(folder: pathlib.Path) -> None:
    """Write a folder and everything in it to the disk."""
    for path in (*folder.rglob("*"), folder):
        fsync(path)
