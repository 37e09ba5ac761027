"""Part files: what the first pass has finished, a few hundred images each.

    00012.images.npy     uint8 [N, S, S, 3], sorted by their digests, so that the second pass reads runs of them
    00012.records.npz    digests, labels, names, conversions and bad images; written last: with it the part is finished

The digest of an image is its checksum.
"""

import collections
import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Mapping

import numpy as np

from pipeline.common import errors, files
from pipeline.datasets import canonical

MAX_ITEMS, MAX_BYTES = 500, 64 << 20  # of a part, and of what it is read from
_RECORDS = ".records.npz"


@dataclasses.dataclass(frozen=True)
class Part:
    """The items of a split of a source from the number `begin` to before `end`."""

    number: int
    split: str
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin


def cut(splits: Mapping[str, int], image_size: int, item_bytes: int) -> list[Part]:
    """The parts of a source with so many items by split, each of `item_bytes`."""
    length = max(1, min(MAX_ITEMS, MAX_BYTES // max(3 * image_size**2, item_bytes)))
    ranges = ((split, begin, count) for split, count in splits.items() for begin in range(0, count, length))
    return [Part(n, split, begin, min(begin + length, count)) for n, (split, begin, count) in enumerate(ranges)]


def num_finished(folder: pathlib.Path) -> int:
    """The number of parts that are finished in a folder of part files."""
    return sum(1 for _ in folder.glob(f"*{_RECORDS}"))


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """The N images of a part without their pixels, sorted by digest and label, and what was left out.

    Attributes:
      digests: SHA-256 of the pixels, uint8 [N, 32].
      fine: numbers of the classes, int32 [N].
      names: of the images.
      conversions: number of images by conversion.
      bad_images: the reasons by the names of images that cannot be used.
    """

    digests: np.ndarray
    fine: np.ndarray
    names: list[str]
    conversions: collections.Counter[str]
    bad_images: dict[str, str]

    def __len__(self) -> int:
        return len(self.fine)


@dataclasses.dataclass(frozen=True)
class PartFolder:
    """The folder of the part files of images with `image_size` pixels each way."""

    path: pathlib.Path
    image_size: int

    def write(self, part: Part, images: np.ndarray, records: Records) -> None:
        """Write a part; of a kill or a power failure no part is left that `read` returns."""
        with files.replacing(self._images(part)) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(images))
            file.write(images.data)  # np.save's tofile() raises an error without the number of a full disk
        texts = json.dumps([records.names, records.conversions, records.bad_images]).encode()
        with files.replacing(self._records(part)) as temporary:
            np.savez(temporary, digests=records.digests, fine=records.fine, texts=np.frombuffer(texts, np.uint8))

    def read(self, part: Part) -> Records | None:
        """The records of a part; None where it is not finished, or damaged."""
        with contextlib.suppress(Exception):  # NumPy and zipfile raise errors of several kinds
            with open(self._records(part), "rb") as file, np.load(file, allow_pickle=False) as arrays:
                names, conversions, bad_images = json.loads(arrays["texts"].tobytes())
                counts = collections.Counter(conversions)
                records = Records(arrays["digests"], arrays["fine"], names, counts, bad_images)
            is_whole = self._open_images(part).shape == (len(records), self.image_size, self.image_size, 3)
            if is_whole and len(records) + len(bad_images) == len(part):
                return records
        return None

    def read_images(self, part: Part, places: np.ndarray, digests: np.ndarray) -> np.ndarray:
        """The images at the places of a part, uint8 [M, S, S, 3], which have the digests, uint8 [M, 32].

        errors.DamagedError where they have others; the part is no longer finished then.
        """
        images = self._open_images(part)[places]
        for image, digest in zip(images, digests, strict=True):
            if canonical.digest(image) != digest.tobytes():
                self._records(part).unlink()
                raise errors.DamagedError(
                    f"{self._images(part)} is damaged (the checksum of an image is wrong); run the same command again "
                    "to read its images again, and check the disk"
                )
        return images

    def _open_images(self, part: Part) -> np.ndarray:
        return np.load(self._images(part), mmap_mode="r", allow_pickle=False)

    def _images(self, part: Part) -> pathlib.Path:
        return self.path / f"{part.number:05d}.images.npy"

    def _records(self, part: Part) -> pathlib.Path:
        return self.path / f"{part.number:05d}{_RECORDS}"
