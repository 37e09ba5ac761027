"""The canonical order of the images of all parts, their splits, and the duplicates among them.

Only digests, labels and splits are in memory, 41 bytes an image, and 8 more of its place in the order.
"""

import collections
import dataclasses
import fractions
from collections.abc import Iterator

import numpy as np

from pipeline.datasets import stratified_split
from pipeline.datasets.canonical import Digests, as_texts
from pipeline.datasets.conversion.parts import Part, PartFolder, Records
from pipeline.datasets.description import Classes

SPLITS = ("train", "validation", "test")
TEST_SHARE = fractions.Fraction(1, 5)  # of train, where the source has no test split
TEST_SALT = b"test:"  # of the hash that chooses it
EQUALS = ("within_class", "across_classes", "across_splits")  # kinds of groups of equal images
MAX_LISTED = 20  # groups of equal images of each kind
MAX_LISTED_NAMES = 10  # of a group


@dataclasses.dataclass(frozen=True, eq=False)
class Arrangement:
    """Where each image of the parts goes. The place of an image is its number in the parts one after the other.

    Attributes:
      folder, parts: of the part files.
      starts: the place of the first image of each part, int64 [number of parts + 1].
      digests: of all images.
      splits: number in SPLITS, uint8 [N].
      conversions, bad_images: as of `Records`, of all parts.
    """

    folder: PartFolder
    parts: list[Part]
    starts: np.ndarray
    digests: Digests
    splits: np.ndarray
    conversions: collections.Counter[str]
    bad_images: dict[str, str]

    def order(self, split: str) -> np.ndarray:
        """The places of the images of a split in canonical order."""
        places = np.flatnonzero(self.splits == SPLITS.index(split))
        return places[self.digests.take(places).order()]

    def images(self, places: np.ndarray) -> np.ndarray:
        """The images at the places, uint8 [M, S, S, 3]; errors.DamagedError where a part file is damaged."""
        size = self.folder.image_size
        images = np.empty((len(places), size, size, 3), np.uint8)
        for part, chosen in self._by_part(places):
            in_part = places[chosen] - self.starts[part.number]
            images[chosen] = self.folder.read_images(part, in_part, self.digests.pixels[places[chosen]])
        return images

    def names(self, places: np.ndarray) -> list[str]:
        """The names of the images at the places."""
        names = np.empty(len(places), object)
        for part, chosen in self._by_part(places):
            all_names = _records(self.folder, part).names
            names[chosen] = [all_names[place] for place in places[chosen] - self.starts[part.number]]
        return names.tolist()

    def _by_part(self, places: np.ndarray) -> Iterator[tuple[Part, np.ndarray]]:
        """Each part that has some of the places, and which of them, int64 [...]."""
        numbers = np.searchsorted(self.starts, places, side="right") - 1
        by_part = np.argsort(numbers, kind="stable")
        firsts = np.flatnonzero(np.diff(numbers[by_part], prepend=-1))
        for chosen in np.split(by_part, firsts[1:]) if len(firsts) else ():
            yield self.parts[numbers[chosen[0]]], chosen


@dataclasses.dataclass(frozen=True)
class EqualImages:
    """Groups of equal images.

    Attributes:
      num_groups: the number of groups.
      listed: names of the images of the first groups.
    """

    num_groups: int
    listed: list[list[str]]


def arrange(folder: PartFolder, parts: list[Part], classes: Classes) -> Arrangement:
    """The arrangement of all parts; a fifth of "train" becomes "test" if no part has that split."""
    pixels, fine, splits, lengths = [], [], [], []
    conversions: collections.Counter[str] = collections.Counter()
    bad_images: dict[str, str] = {}
    for part in parts:
        records = _records(folder, part)
        pixels.append(records.digests)
        fine.append(records.fine)
        splits.append(np.full(len(records), SPLITS.index(part.split), np.uint8))
        lengths.append(len(records))
        conversions += records.conversions
        bad_images |= records.bad_images
    labels = np.concatenate(fine)
    coarse = np.array(classes.fine_to_coarse, np.int32)[labels] if classes.coarse else np.zeros_like(labels)
    digests = Digests(np.concatenate(pixels), labels, coarse)
    split_numbers = np.concatenate(splits)
    if not any(part.split == "test" for part in parts):
        _choose_test(digests, split_numbers)
    starts = np.cumsum([0, *lengths])
    return Arrangement(folder, parts, starts, digests, split_numbers, conversions, bad_images)


def equal_images(arrangement: Arrangement) -> dict[str, EqualImages]:
    """Groups of equal images: with two in one class, with two classes, and with two splits.

    The first two names of a group are such two.
    """
    texts = as_texts(arrangement.digests.pixels)
    order = np.argsort(texts, kind="stable")
    firsts = np.flatnonzero(np.concatenate([[True], texts[order][1:] != texts[order][:-1]])) if len(order) else order
    lengths = np.diff(firsts, append=len(order))
    counts, listed = collections.Counter[str](), collections.defaultdict[str, list[np.ndarray]](list)
    several = np.stack([firsts, lengths], axis=1)[lengths > 1]
    fine, splits = arrangement.digests.fine, arrangement.splits
    for first, length in several.tolist():
        places = order[first : first + length]
        groups = (_of_one_value(places, fine), _of_several_values(places, fine), _of_several_values(places, splits))
        for kind, group in zip(EQUALS, groups, strict=True):
            counts[kind] += len(group) > 0
            if len(group) and counts[kind] <= MAX_LISTED:
                listed[kind].append(group[:MAX_LISTED_NAMES])
    return {kind: EqualImages(counts[kind], [arrangement.names(places) for places in listed[kind]]) for kind in EQUALS}


def _of_one_value(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The places whose value another one has too, equal values beside each other."""
    _, numbers, counts = np.unique(values[places], return_inverse=True, return_counts=True)
    chosen = np.argsort(numbers, kind="stable")
    return places[chosen[counts[numbers[chosen]] > 1]]


def _of_several_values(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The places, one of each value first; none where all have one value."""
    _, firsts = np.unique(values[places], return_index=True)
    return np.concatenate([places[firsts], np.delete(places, firsts)]) if len(firsts) > 1 else places[:0]


def _choose_test(digests: Digests, splits: np.ndarray) -> None:
    """Move TEST_SHARE of "train" to "test", the same share of each class."""
    places = np.flatnonzero(splits == SPLITS.index("train"))
    train = digests.take(places)
    is_test = stratified_split.select(train, int(len(train) * TEST_SHARE), TEST_SALT)
    splits[places[is_test]] = SPLITS.index("test")


def _records(folder: PartFolder, part: Part) -> Records:
    records = folder.read(part)
    assert records is not None  # the first pass is complete
    return records
