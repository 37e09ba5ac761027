"""Finds the data sets that TFDS has prepared on this machine, by the names of their folders."""

import collections
import os
import pathlib
import re
from collections.abc import Iterable, Iterator

from pipeline.common import errors
from pipeline.datasets import prepared
from pipeline.datasets.conversion.image_source import SourceFile

_INFO = "dataset_info.json"
_NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[\w.+-]+))?(:(?P<version>\d+\.\d+\.\d+))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_MAX_LISTED = 20  # names in an error


class NotFoundError(errors.BadArgumentError):
    """TFDS has not prepared the data set on this machine."""


def default_root() -> pathlib.Path:
    """Where TFDS keeps its data sets unless it is given another folder."""
    return pathlib.Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser().absolute()


def find(given: str, data_dir: str | os.PathLike[str]) -> pathlib.Path:
    """The version folder of NAME, NAME/CONFIG or either with :VERSION, in `data_dir` or else in TFDS's own folder.

    Without a version it is the newest one.

    Raises:
      NotFoundError: there is none.
      errors.BadArgumentError: it has several configurations and none of them is given.
    """
    match = _NAME.fullmatch(given)
    if match is None:
        raise errors.BadArgumentError(f"dataset=tfds:{given}: expected tfds:NAME or tfds:NAME/CONFIG")
    name, config, version = match["name"], match["config"], match["version"]
    roots = list(dict.fromkeys((prepared.root(data_dir), default_root())))
    for root in roots:
        folders = _version_folders(root / name)
        if config is None and len(folders) > 1 and "" not in folders:
            raise errors.BadArgumentError(
                f"dataset=tfds:{given}: has several configurations; expected tfds:{name}/CONFIG, CONFIG one of "
                f"{_listed(folders)}"
            )
        chosen = (
            folders.get("" if "" in folders else next(iter(folders), "")) if config is None else folders.get(config)
        )
        versions = [folder for folder in chosen or () if version in (None, folder.name)]
        if versions:
            return max(versions, key=lambda folder: _natural(folder.name))
    available = [version for root in roots for version in _versions(root / name)]
    available = available or [name_there for root in roots for name_there in _names(root)]
    places = " or ".join(map(str, roots))
    content = f"have {_listed(available)}" if available else "have none"
    raise NotFoundError(
        f"dataset=tfds:{given}: not found in {places}, which {content}; with --download, "
        "pipeline.prepare lets TFDS download it"
    )


def files(folder: pathlib.Path) -> Iterator[SourceFile]:
    """All files of a version folder."""
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        stat = path.stat()
        yield SourceFile(path.name, stat.st_size, stat.st_mtime_ns)


def _names(root: pathlib.Path) -> list[str]:
    """The data sets in a folder, NAME or NAME/CONFIG."""
    folders = sorted(path for path in root.glob("*") if path.is_dir() and not path.name.startswith("."))
    return [f"{path.name}/{config}".rstrip("/") for path in folders for config in _version_folders(path)]


def _versions(folder: pathlib.Path) -> list[str]:
    """What is in the folder of a data set, NAME:VERSION or NAME/CONFIG:VERSION."""
    every = _version_folders(folder).items()
    return [f"{folder.name}/{config}".rstrip("/") + f":{path.name}" for config, paths in every for path in paths]


def _version_folders(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """The version folders in the folder of a data set by configuration, "" for NAME/VERSION."""
    versions = collections.defaultdict(list)
    for pattern in (f"*/{_INFO}", f"*/*/{_INFO}"):
        for path in sorted(folder.glob(pattern)):
            version = path.parent
            if _VERSION.fullmatch(version.name):
                versions["" if version.parent == folder else version.parent.name].append(version)
    return dict(versions)


def _listed(names: Iterable[str]) -> str:
    every = sorted(set(names), key=_natural)
    return ", ".join(every[:_MAX_LISTED]) + (
        f" and {len(every) - _MAX_LISTED} more" if len(every) > _MAX_LISTED else ""
    )


def _natural(name: str) -> list[str | int]:
    """A key that sorts the numbers within names as numbers."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
