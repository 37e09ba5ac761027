"""What is converted: labelled images, in class folders or in a data set of TFDS."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from pipeline.datasets.description import Classes
from pipeline.datasets.images import Decoded


@dataclasses.dataclass(frozen=True)
class Item:
    """An image of a source, not decoded yet.

    Attributes:
      name: of the image in reports: its path in the folder of the source, or its split and number.
      fine: number of its class.
      load: decodes it; ImageError says why it cannot be used.
    """

    name: str
    fine: int
    load: Callable[[], Decoded]


class SourceFile(NamedTuple):
    """A file that a source is read from: its path in the folder of the source, bytes, and time of its last change."""

    name: str
    size: int
    mtime_ns: int


class ImageSource(Protocol):
    """A source of images. Its items are pickled, and loaded in several processes."""

    @property
    def origin(self) -> str:
        """What it is, such as `class folders`."""

    @property
    def classes(self) -> Classes:
        """The classes of the labels."""

    @property
    def item_bytes(self) -> int:
        """The bytes of an item that hold its image, about; 0 where `load` reads them from a file."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person who converts it should know, a line each."""

    @property
    def splits(self) -> Mapping[str, int]:
        """The number of items by split: "train" and perhaps "validation" and "test"."""

    def items(self, split: str, begin: int, end: int) -> Iterator[Item]:
        """The items of a split from the number `begin` to before `end`, in an order that is always the same."""

    def files(self) -> Iterator[SourceFile]:
        """All files that the items and their labels are read from."""
