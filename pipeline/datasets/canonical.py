"""The canonical order of a data set and its fingerprints, the same for every copy of its records.

Records are sorted by the SHA-256 of their pixels, and equal images by fine label. Examples are read one by one: only
their digests are held in memory.
"""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from pipeline.common import errors
from pipeline.datasets import png

# The image, uint8 [H, W, 3], its fine label and its coarse label, 0 where there is one level of labels.
Example: TypeAlias = tuple[np.ndarray, int, int]
FEATURES = {"fine": "label", "coarse": "coarse_label"}  # level -> name in TFDS
DIGEST_BYTES = hashlib.sha256().digest_size
# A key of 128 bits, as TFDS's writer sorts by: the front of the digest, the fine label, a counter of equal records.
KEY_DIGEST_BYTES, LABEL_BITS, COUNTER_BITS = 12, 16, 16


@dataclasses.dataclass(frozen=True, eq=False)
class Digests:
    """The records of a split without their images: SHA-256 of the pixels, uint8 [N, 32], and int32 [N] labels."""

    pixels: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray

    @classmethod
    def of(cls, examples: Iterable[Example]) -> "Digests":
        """The digests of a split."""
        pixels, labels = bytearray(), []
        for image, *fine_and_coarse in examples:
            pixels += digest(image)
            labels.append(fine_and_coarse)
        fine, coarse = np.array(labels, np.int32).reshape(-1, 2).T
        return cls(np.frombuffer(bytes(pixels), np.uint8).reshape(-1, DIGEST_BYTES), fine, coarse)

    def __len__(self) -> int:
        return len(self.fine)

    def take(self, places: np.ndarray) -> "Digests":
        """The records at the places, int [M] or bool [N]."""
        return Digests(self.pixels[places], self.fine[places], self.coarse[places])

    def order(self) -> np.ndarray:
        """The places of the records in canonical order, int64 [N]."""
        return np.argsort(self.rows(), kind="stable")

    def rows(self) -> np.ndarray:
        """A text of 40 bytes a record, which sorts as the records do: digest, fine label, coarse label."""
        labels = np.stack([self.fine, self.coarse], axis=1).astype(">i4").view(np.uint8)
        return as_texts(np.concatenate([self.pixels, labels], axis=1))


@dataclasses.dataclass(frozen=True)
class Fingerprints:
    """SHA-256 of a data set's records, train and test: `records` of the set, whatever its order, `order` of both."""

    records: str
    order: str

    @classmethod
    def of(cls, splits: Mapping[str, Digests]) -> "Fingerprints":
        """The fingerprints of a data set by its splits; both are equal where the order is canonical."""
        records, order = hashlib.sha256(), hashlib.sha256()
        for name in sorted(splits):
            rows = splits[name].rows()
            header = f"{name} {len(rows)}\n".encode()
            records.update(header + np.sort(rows).tobytes())
            order.update(header + rows.tobytes())
        return cls(records.hexdigest(), order.hexdigest())

    def as_dict(self) -> dict[str, str]:
        """As reports and checkpoints keep them."""
        return dataclasses.asdict(self)

    def check_continued(self, recorded: Mapping[str, str] | None, where: str) -> None:
        """Check that what began on the data set of the fingerprints `recorded` can go on with this one.

        errors.BadArgumentError, with the prefix `where` (such as `run_dir=PATH`), if the records or their order differ,
        or as in `check_recorded`.
        """
        there = check_recorded(recorded, where)
        if there["order"] != self.order:
            what = "the same records in another order" if there["records"] == self.records else "other records"
            raise errors.BadArgumentError(
                f"{where}: started on {what}; set its original --data_dir, or choose another --{_flag(where)}"
            )


def check_recorded(recorded: Mapping[str, str] | None, where: str) -> Mapping[str, str]:
    """The recorded fingerprints; errors.BadArgumentError, with the prefix `where`, if an earlier version kept none."""
    if recorded is None:
        raise errors.BadArgumentError(
            f"{where}: started by an earlier version, which held out other images for validation; finish it with that "
            f"version, or choose another --{_flag(where)}"
        )
    return recorded


def _flag(where: str) -> str:
    return where.partition("=")[0]


def digest(image: np.ndarray) -> bytes:
    """The SHA-256 of an image's pixels, uint8 [H, W, 3]."""
    return hashlib.sha256(image.tobytes()).digest()


def record_id(split: str, pixels: bytes, fine: int, number: int) -> str:
    """The `id` of the record of a digest and a label; `number` counts equal records of a split from 0 on."""
    return f"{split}_{_first_key(pixels, fine) + number:032x}"


def _first_key(pixels: bytes, fine: int) -> int:
    return (int.from_bytes(pixels[:KEY_DIGEST_BYTES]) << LABEL_BITS | fine) << COUNTER_BITS


def as_texts(rows: np.ndarray) -> np.ndarray:
    """Rows of bytes, uint8 [N, L], as NumPy texts [N], which sort by their bytes."""
    return np.ascontiguousarray(rows).view(f"S{rows.shape[1]}")[:, 0]


def tfds_examples(
    split: str, examples: Iterable[Example], *, has_coarse: bool = True
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The (key, example) pairs of a split; a TFDS builder that does not shuffle sorts by the keys: canonical order."""
    num_equal: collections.Counter[int] = collections.Counter()
    for image, fine, coarse in examples:
        pixels = digest(image)
        first = _first_key(pixels, fine)
        number = num_equal[first]
        num_equal[first] += 1
        fields = {FEATURES["fine"]: fine, **({FEATURES["coarse"]: coarse} if has_coarse else {})}
        yield first + number, {"id": record_id(split, pixels, fine, number), "image": png.encode(image), **fields}
