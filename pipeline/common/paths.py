"""Paths from flags and callers: `~` is expanded, and what cannot be a path of this machine is an error.

Every flag and field that is a path goes through `local`: flags by `define_flag` and `define_list_flag`, fields of
configurations by `setting(..., is_path=True)`, arguments of functions by `local` itself.
"""

import os
import pathlib
import pwd
import re
import unicodedata
from typing import Any, TypeAlias

from absl import flags

from pipeline.common import errors

AnyPath: TypeAlias = str | os.PathLike[str]

# TensorFlow would take it for a remote file system, and the rest of Python for a folder called `gs:`. pathlib makes
# one slash of two.
_URL = re.compile(r"\s*[a-z][a-z0-9+.-]*:/", re.IGNORECASE)
# File systems take 255 bytes and Linux 4,096; temporary files and what lies in a folder have longer names.
MAX_NAME_BYTES, MAX_PATH_BYTES = 240, 3800


def local(path: AnyPath, name: str) -> pathlib.Path:
    """The path that a person gave for the flag or field `name`, with `~` and `~user` expanded.

    Expanding it again changes nothing.

    Raises:
      errors.BadArgumentError: it is empty, a URL, too long, or has characters that no path here can have.
    """
    try:
        return _expanded(os.fsdecode(path))
    except ValueError as error:
        raise errors.BadArgumentError(f"{name}={os.fsdecode(path)}: {error}") from error


def shown(path: pathlib.Path) -> pathlib.Path:
    """The path as messages name it: relative to the working folder if it is in there."""
    try:
        folder = pathlib.Path.cwd()
    except OSError:  # it has been removed
        return path
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def check_folder(path: pathlib.Path, name: str) -> None:
    """Raise errors.BadArgumentError where a path that is to be a folder, new or not, leads to something else."""
    nearest = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    if not nearest.is_dir():
        kind = "a file" if nearest.exists() else "a symbolic link to nowhere"
        place = "got" if nearest == path else f"got a path below {nearest},"
        raise errors.BadArgumentError(f"{name}={path}: expected a folder, {place} {kind}")


def define_flag(name: str, default: str, help: str, *, flag_values: flags.FlagValues) -> "flags.FlagHolder[str]":
    """Define an absl flag whose value is a path; "" means that it is not set."""
    flags.disclaim_key_flags()
    return flags.DEFINE(PathParser(), name, default, help, flag_values=flag_values)


def define_list_flag(name: str, help: str, *, flag_values: flags.FlagValues) -> "flags.FlagHolder[list[str]]":
    """Define an absl flag whose value is a list of paths, separated by commas; empty by default."""
    flags.disclaim_key_flags()
    help = f"{help}; quote a path with a comma: '\"a,b\",c'"
    serializer = flags.CsvListSerializer(",")
    return flags.DEFINE(PathListParser(), name, [], help, serializer=serializer, flag_values=flag_values)


class PathParser(flags.ArgumentParser[str]):
    """Reads a flag whose value is a path; absl puts the flag before the message of an error."""

    syntactic_help = "a path"

    def parse(self, argument: Any) -> str:
        """The path, `~` expanded; "" stays."""
        return str(_expanded(argument)) if argument else ""


class PathListParser(flags.ListParser):
    """Reads a flag whose value is a list of paths."""

    def parse(self, argument: Any) -> list[str]:
        """The paths, `~` expanded; "" is an empty list."""
        try:
            items = super().parse(argument)
        except ValueError as error:
            raise ValueError("expected paths in one line, separated by commas, quotes in pairs") from error
        return [str(_expanded(item)) for item in items if item]


def _expanded(text: str) -> pathlib.Path:
    """The path of a text; ValueError says what is wrong with it."""
    if not text:
        raise ValueError("expected a path, got an empty text")
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("expected a path in one line; it has a line break or another control character")
    if any(unicodedata.category(character) == "Cs" for character in text):
        raise ValueError("expected a path in UTF-8; rename it, or give it through a symbolic link")
    if _URL.match(text):
        raise ValueError("expected a path of this machine, got a URL; copy the files here, or mount their store")
    path = pathlib.Path(_with_home(text))
    # ./~x and ./a:/x: without their ./ these would be a home folder and a URL next time.
    if str(path).startswith("~") or _URL.match(str(path)):
        path = path.absolute()
    too_long = max(len(os.fsencode(part)) for part in (*path.parts, "")) > MAX_NAME_BYTES
    if too_long or len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise ValueError(f"expected names of at most {MAX_NAME_BYTES} bytes, {MAX_PATH_BYTES} in all")
    return path


def _with_home(text: str) -> str:
    """The text with its `~` or `~user` expanded; an empty HOME counts as unset."""
    user, slash, rest = text.partition("/")
    if not user.startswith("~"):
        return text
    home = os.environ.get("HOME") if user == "~" else ""
    try:
        home = home or (pwd.getpwnam(user[1:]) if user != "~" else pwd.getpwuid(os.getuid())).pw_dir
    except KeyError:
        raise ValueError(f"expected a user for {user}, got none; write ./{user} for a name that begins so") from None
    return home + slash + rest
