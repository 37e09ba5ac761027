"""Reads the classes, the splits and the files of a folder of images. No image is decoded.

superclasses.csv in the folder, with the header `fine,coarse` and a line for each class, gives superclasses; without it
two levels of folders may (see `layout`).
"""

import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Mapping

from pipeline.common import errors
from pipeline.common.numbers import counted
from pipeline.datasets.description import Classes
from pipeline.datasets.folder import layout, names, superclasses
from pipeline.datasets.folder.layout import Place
from pipeline.datasets.folder.names import TreeError
from pipeline.datasets.folder.walk import Listing, walk

_MAX_KINDS = 5  # of files that are left out, in a note


@dataclasses.dataclass(frozen=True)
class Tree:
    """A folder of images.

    Attributes:
      classes: sorted by name, and so are the superclasses.
      splits: by name, "train" and perhaps "validation" and "test": the path of each image, relative to the folder, and
        the number of its class; sorted.
      notes: what a person should know, a line each.
    """

    classes: Classes
    splits: Mapping[str, tuple[tuple[str, int], ...]]
    notes: tuple[str, ...]


def read(root: pathlib.Path, *, source: str, finds_superclasses: bool = True) -> Tree:
    """Read a folder; a file that cannot be decoded is among the images if its name is that of an image.

    Without `finds_superclasses` there are none: the outermost folders of a split are its classes. Raises
    errors.BadArgumentError, with the prefix `source` (such as `--dataset=folder:PATH`), for another layout of folders.
    """
    try:
        if not root.is_dir():
            problem = "expected a folder, got a file; unpack it"
            raise TreeError(problem if root.exists() else "no such folder; expected the folder of the class folders")
        return _read(root, walk(root), finds_superclasses)
    except TreeError as error:
        raise errors.BadArgumentError(f"{source}: {error}") from error
    except OSError as error:
        raise errors.BadArgumentError(f"{source}: {error.filename!r} cannot be read ({error.strerror})") from error


def _read(root: pathlib.Path, listing: Listing, finds_superclasses: bool) -> Tree:
    if not listing.images:
        raise TreeError(f"expected images in folders of classes, got {_kinds(listing.ignored) or 'an empty folder'}")
    split_folders = layout.split_folders(listing.images)
    places = collections.Counter(layout.place(path, split_folders) for path in listing.images)
    pairs = {place.folders[:2] for place in places if place.folders}
    csv = root / superclasses.FILE_NAME
    has_csv = finds_superclasses and csv.is_file()
    level = 1 if finds_superclasses and not has_csv and layout.has_superclasses(pairs) else 0  # of the classes' folders
    _check_folders(listing.folders, split_folders, places, level)
    present = _present(places, level, split_folders)
    fine = tuple(sorted(present["train"]))
    parents = superclasses.read(csv, fine) if has_csv else {pair[1]: pair[0] for pair in pairs if level}
    classes = _classes(fine, parents)

    numbers = {name: number for number, name in enumerate(fine)}
    splits: dict[str, list[tuple[str, int]]] = {split: [] for split in layout.SPLITS if split in present}
    for path in listing.images:
        split, folders = layout.place(path, split_folders)
        if folders:
            splits[split].append((path, numbers[folders[level]]))
    ignored = collections.Counter(listing.ignored) - collections.Counter({".csv": int(has_csv)})
    notes = (*_levels(classes, has_csv), *_absences(present, fine), *_oddities(places, level, fine, ignored))
    return Tree(classes, {split: tuple(images) for split, images in splits.items()}, notes)


def _check_folders(
    folders: Iterable[str], split_folders: Mapping[str, str], places: Iterable[Place], level: int
) -> None:
    """Raise TreeError for a training class without images, and for two folders of a split that give one name."""
    held = {(split, folders[:depth]) for split, folders in places for depth in range(1, level + 2)}
    seen: dict[Place, str] = {}
    empty = []
    for path in folders:
        place = layout.place(f"{path}/", split_folders)
        if place.folders and len(place.folders) <= level + 1:
            if seen.setdefault(place, path) != path:
                raise TreeError(f"expected folders of different names, got {seen[place]!a} and {path!a}")
            if place.split == "train" and place not in held:
                empty.append(path)
    if empty:
        raise TreeError(f"expected images in every folder of a class, got none in {names.some(empty)}; remove it")


def _present(places: Iterable[Place], level: int, split_folders: Mapping[str, str]) -> dict[str, set[str]]:
    """The classes of each split; TreeError where they are not those of train, or fewer than two."""
    present: dict[str, set[str]] = collections.defaultdict(set)
    for split, folders in places:
        if folders:
            present[split].add(folders[level])
    for folder, split in (split_folders or {".": "train"}).items():
        if split not in present:
            there, instead = ("", "give the folder above") if folder == "." else (f" in {folder!r}", "move them away")
            raise TreeError(f"expected folders of classes{there}, got images only; sort them into such, or {instead}")
    if len(present["train"]) < 2:
        expected = "expected two folders of classes or more"
        raise TreeError(f"{expected}, got {names.some(present['train'])} only; give the folder that holds them")
    for split, classes in present.items():
        unknown = classes - present["train"]
        if unknown:
            raise TreeError(f"expected the classes of train in {split}, got {names.some(unknown)}; rename or move them")
    return present


def _classes(fine: tuple[str, ...], parents: Mapping[str, str]) -> Classes:
    coarse = tuple(sorted(set(parents.values())))
    names.check((*fine, *coarse))
    return Classes(fine, coarse, tuple(coarse.index(parents[name]) for name in fine if parents))


def _levels(classes: Classes, has_csv: bool) -> Iterator[str]:
    if classes.coarse:
        summary = f"{len(classes.fine):,} classes in {counted(len(classes.coarse), 'superclass')}"
        where = superclasses.FILE_NAME if has_csv else "two levels of folders"
        yield f"{summary}, by {where}: {classes.coarse[classes.fine_to_coarse[0]]}/{classes.fine[0]}, ..."
        yield "--superclasses=none makes " + ("no use of it" if has_csv else "the outer folders the classes")


def _absences(present: Mapping[str, set[str]], fine: tuple[str, ...]) -> Iterator[str]:
    for split, classes in present.items():
        if len(classes) < len(fine):
            yield f"{split} has no image of {names.some(set(fine) - classes)}"


def _oddities(
    places: Mapping[Place, int], level: int, fine: tuple[str, ...], ignored: "collections.Counter[str]"
) -> Iterator[str]:
    same = collections.Counter(name.casefold() for name in fine)
    alike = [name for name in fine if same[name.casefold()] > 1]
    outside = sum(count for place, count in places.items() if not place.folders)
    below = sum(count for place, count in places.items() if len(place.folders) > level + 1)
    if alike:
        yield f"the names of classes differ in case only: {names.some(alike)}"
    if outside:
        yield f"left out: {counted(outside, 'image')} outside of the folders of classes"
    if below:
        yield f"{counted(below, 'image')} in folders below those of their classes, {names.some(fine)}"
    if ignored:
        yield f"left out: {_kinds(ignored)}"


def _kinds(counts: Mapping[str, int]) -> str:
    """The most frequent kinds of files and folders and their numbers: `12 .txt, 3 hidden`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {kind}" for kind, count in ordered[:_MAX_KINDS])
