"""A source of drawn images, for tests."""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.datasets.conversion.image_source import Item, SourceFile
from pipeline.datasets.description import Classes
from pipeline.datasets.images import Decoded, ImageError

TWO_CLASSES = Classes(("cat", "dog"))


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One image: its class, and the seed of its pixels. Equal seeds are equal images."""

    name: str
    fine: int
    seed: int
    size: tuple[int, int] = (8, 8)
    conversions: tuple[str, ...] = ()
    problem: str = ""

    @property
    def pixels(self) -> np.ndarray:
        """The image, uint8 [H, W, 3]."""
        return np.random.default_rng(self.seed).integers(0, 256, (*self.size, 3), np.uint8)


@dataclasses.dataclass(frozen=True)
class DrawnSource:
    """A source of drawings by split.

    Attributes:
      log: a file that gets a line for each image that is loaded.
      gate: loading the image `gate.name` waits for this file.
      mtime: the time of the files' last change.
    """

    drawings: Mapping[str, list[Drawing]]
    classes: Classes = TWO_CLASSES
    log: pathlib.Path | None = None
    gate: pathlib.Path | None = None
    mtime: int = 0
    origin: str = "drawings"
    item_bytes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> dict[str, int]:
        """The number of drawings by split."""
        return {split: len(drawings) for split, drawings in self.drawings.items()}

    def items(self, split: str, begin: int, end: int) -> Iterator[Item]:
        """Some drawings of a split."""
        for drawing in self.drawings[split][begin:end]:
            yield Item(drawing.name, drawing.fine, functools.partial(self._load, drawing))

    def files(self) -> Iterator[SourceFile]:
        """A file for each drawing, whose seed is its size."""
        for drawing in (drawing for drawings in self.drawings.values() for drawing in drawings):
            yield SourceFile(drawing.name, drawing.seed, self.mtime)

    def _load(self, drawing: Drawing) -> Decoded:
        while self.gate and self.gate.name == drawing.name and not self.gate.exists():
            time.sleep(0.01)
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{drawing.name}\n")
        if drawing.problem:
            raise ImageError(drawing.problem)
        return Decoded(drawing.pixels, drawing.conversions)


def draw(split: str, *counts: int, first_seed: int = 0, size: tuple[int, int] = (8, 8)) -> list[Drawing]:
    """So many drawings of each class, all different; their names are `{split}_{number}`."""
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return [Drawing(f"{split}_{n}", label, first_seed + n, size) for n, label in enumerate(labels)]


def with_changes(drawings: list[Drawing], *numbers: int, **changes: object) -> list[Drawing]:
    """The drawings, some of them changed."""
    return [dataclasses.replace(each, **changes) if n in numbers else each for n, each in enumerate(drawings)]
