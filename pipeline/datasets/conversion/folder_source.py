"""A source of images that lie in folders of classes; nothing is written there."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pipeline.datasets import images
from pipeline.datasets.conversion.image_source import Item, SourceFile
from pipeline.datasets.description import Classes
from pipeline.datasets.folder import superclasses, tree


@dataclasses.dataclass(frozen=True)
class FolderSource:
    """The source in the folder `root`, whose contents are `tree`."""

    root: pathlib.Path
    tree: tree.Tree
    item_bytes: ClassVar[int] = 0

    @property
    def origin(self) -> str:
        """What it is."""
        return "class folders"

    @property
    def classes(self) -> Classes:
        """The classes of the labels."""
        return self.tree.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know."""
        return self.tree.notes

    @property
    def splits(self) -> Mapping[str, int]:
        """The number of items by split."""
        return {split: len(paths) for split, paths in self.tree.splits.items()}

    def items(self, split: str, begin: int, end: int) -> Iterator[Item]:
        """The items of a split from the number `begin` to before `end`, in the order of their paths."""
        for path, fine in self.tree.splits[split][begin:end]:
            yield Item(path, fine, functools.partial(_load, self.root / path))

    def files(self) -> Iterator[SourceFile]:
        """The files of all images, and that of the superclasses."""
        names = [path for paths in self.tree.splits.values() for path, _ in paths]
        if (self.root / superclasses.FILE_NAME).is_file():
            names.append(superclasses.FILE_NAME)
        for name in names:
            with contextlib.suppress(OSError):  # of a link to nothing, which cannot be decoded either
                stat = (self.root / name).stat()
                yield SourceFile(name, stat.st_size, stat.st_mtime_ns)


def open_source(root: pathlib.Path, dataset: str, finds_superclasses: bool = True) -> FolderSource:
    """The source in a folder; errors.BadArgumentError for another layout of folders.

    `dataset` is its name in errors, such as "folder:/images/flowers"; `finds_superclasses` is as of `tree.read`.
    """
    return FolderSource(root, tree.read(root, source=f"dataset={dataset}", finds_superclasses=finds_superclasses))


def _load(path: pathlib.Path) -> images.Decoded:
    return images.decode(images.read(path))
