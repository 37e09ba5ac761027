"""Lists what may be images below a folder. Everything else is counted by its kind.

A file with the suffix of an image is listed whatever it holds, so that one that cannot be decoded is reported by name.
A file without suffix is listed if its first bytes are those of an image. What this project has written below the
folder, which may be the working folder, is left out: plots of a session are no images of a class `runs`.
"""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping

from pipeline.common import locked_folder
from pipeline.datasets import images, prepared

_SUFFIXES = frozenset(
    (
        *(".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".webp"),
        # Not decoded, but photographs and drawings that nobody leaves out on purpose.
        *(".avif", ".heic", ".heif", ".jp2", ".jxl", ".svg", ".tif", ".tiff"),
    )
)
_SYSTEM_FOLDERS = frozenset(("$RECYCLE.BIN", "@eaDir", "System Volume Information", "__MACOSX", "lost+found"))
_HEAD_BYTES = 16


@dataclasses.dataclass(frozen=True)
class Listing:
    """What is below a folder, with paths relative to it.

    Attributes:
      images: the files that may be images, sorted.
      folders: all folders but hidden ones, those of operating systems, and those of this project and around them,
        sorted.
      ignored: how many files and folders of other kinds there are; a kind is ".txt" or "hidden".
    """

    images: tuple[str, ...]
    folders: tuple[str, ...]
    ignored: Mapping[str, int]


def walk(root: pathlib.Path) -> Listing:
    """List a folder and all folders in it, through symbolic links but not in a circle; OSError where that fails."""
    listed: list[str] = []
    folders: list[str] = []
    ours: set[str] = set()  # folders that hold those of this project
    ignored: collections.Counter[str] = collections.Counter()
    waiting = [("", frozenset([_identity(os.stat(root))]))]
    while waiting:
        folder, above = waiting.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}{entry.name}"
                kind = _kind(entry)
                if kind == "folder":
                    identity = _identity(entry.stat())
                    if identity in above:
                        ignored["folder linked in a circle"] += 1
                    elif _is_ours(root / path):
                        ignored["folder of this project"] += 1
                        ours.update(map(str, pathlib.PurePath(path).parents))
                    else:
                        folders.append(path)
                        waiting.append((f"{path}/", above | {identity}))
                elif kind == "image":
                    listed.append(path)
                else:
                    ignored[kind] += 1
    return Listing(tuple(sorted(listed)), tuple(sorted(set(folders) - ours)), ignored)


def _is_ours(folder: pathlib.Path) -> bool:
    """Whether a folder holds prepared data, or a run, a study or a session, whose identity is a JSON file."""
    if os.path.lexists(folder / prepared.LOCK):
        return True
    return os.path.lexists(folder / locked_folder.LOCK) and next(folder.glob("*.json"), None) is not None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _kind(entry: "os.DirEntry[str]") -> str:
    """The kind of a file or folder: "folder" and "image" are listed, and others counted."""
    if entry.name.startswith("."):
        return "hidden"
    if _is_folder(entry):
        return "folder of an operating system" if entry.name in _SYSTEM_FOLDERS else "folder"
    if not (entry.is_symlink() or entry.is_file(follow_symlinks=False)):  # a broken link is reported as an image
        return "special file"
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in _SUFFIXES or (not suffix and _is_image(entry.path)):
        return "image"
    return suffix if suffix and suffix.isprintable() else "without suffix"


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_image(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return images.format_name(file.read(_HEAD_BYTES)) is not None
    except OSError:
        return False
