"""Decides which folders of a folder of images are splits, superclasses and classes.

    PATH/CLASS/*.jpg                              no splits
    PATH/{train,validation,test}/CLASS/*.jpg      official splits; training, valid, val and testing are read too
    PATH/SUPERCLASS/CLASS/*.jpg                   two levels of labels, with splits or without

As in torchvision, images in further folders below the folder of a class belong to the class. Two levels of folders are
superclasses and classes only where nothing else can be meant: every image lies at least two folders deep, no two inner
folders have one name, and there are two or more outer folders, not each with a single inner one. Otherwise the outer
folders are the classes.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pipeline.datasets.folder import names
from pipeline.datasets.folder.names import TreeError

SPLITS = ("train", "validation", "test")
_SPLIT_NAMES = {  # by the name of a folder, in any case
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_DEPTH = 3  # two levels of labels, and whether there is a further one


class Place(NamedTuple):
    """Where a file is: its split, and the names of its folders below the split, three at most."""

    split: str
    folders: tuple[str, ...]


def split_folders(images: Iterable[str]) -> dict[str, str]:
    """The split that each outermost folder of the images stands for; {} where these folders are not splits.

    They are if a folder of training images has folders in it, or if all of them are called like splits. TreeError where
    there are no training images, two folders for one split, or others beside them.
    """
    depths: dict[str, int] = {}  # of the deepest image, by outermost folder
    for path in images:
        top, *below = path.split("/")
        if below:
            depths[top] = max(depths.get(top, 0), len(below))
    splits = {top: _SPLIT_NAMES[top.lower()] for top in depths if top.lower() in _SPLIT_NAMES}
    others = depths.keys() - splits.keys()
    if others and not any(splits.get(top) == "train" and depth > 1 for top, depth in depths.items()):
        return {}
    if others:
        raise TreeError(f"expected splits only, got {names.some(splits)} and {names.some(others)}; move that away")
    if len(set(splits.values())) < len(splits):
        raise TreeError(f"expected one folder for each split, got {names.some(splits)}; join them")
    if splits and "train" not in splits.values():
        raise TreeError(f"expected a folder 'train', got {names.some(splits)} only")
    return splits


def place(path: str, splits: Mapping[str, str]) -> Place:
    """The place of a file by its path, relative and with "/", among the `split_folders`."""
    *folders, _ = path.split("/")
    split = splits.get(folders.pop(0), "") if splits and folders else "train"
    return Place(split, tuple(map(names.composed, folders[:_DEPTH])))


def has_superclasses(folders: Collection[tuple[str, ...]]) -> bool:
    """Whether inner folders are the classes; `folders` are the two outermost ones of each image."""
    if any(len(pair) < 2 for pair in folders):
        return False
    outer, inner = ({pair[level] for pair in folders} for level in (0, 1))
    return len(inner) == len(folders) and 1 < len(outer) < len(inner)
