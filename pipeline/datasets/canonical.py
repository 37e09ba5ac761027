"""The canonical order of a data set and its fingerprints, the same for every copy of its records.

Records are sorted by the SHA-256 of their pixels, and equal images by fine label.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.common import errors
from pipeline.datasets import png


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """One split in memory: uint8 [N, H, W, 3] images, and the fine and coarse labels [N] of any integer type."""

    images: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Digests:
    """One split without its images: the SHA-256 of their pixels, uint8 [N, 32], and int32 [N] labels."""

    pixels: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray

    @classmethod
    def of(cls, examples: Examples) -> "Digests":
        """The digests of a split."""
        digests = b"".join(map(digest, examples.images))
        pixels = np.frombuffer(digests, np.uint8).reshape(-1, hashlib.sha256().digest_size)
        return cls(pixels, examples.fine.astype(np.int32), examples.coarse.astype(np.int32))

    def __len__(self) -> int:
        return len(self.fine)

    def rows(self) -> list[bytes]:
        """A row of bytes a record, which sorts as the records do: digest, fine label, coarse label."""
        labels = np.stack([self.fine, self.coarse], axis=1).astype(">i4")
        return [pixels.tobytes() + row.tobytes() for pixels, row in zip(self.pixels, labels, strict=True)]


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
            records.update(header + b"".join(sorted(rows)))
            order.update(header + b"".join(rows))
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
                f"{where}: begun on {what}; go on with its own --data_dir, or choose another --{_flag(where)}"
            )


def check_recorded(recorded: Mapping[str, str] | None, where: str) -> Mapping[str, str]:
    """The recorded fingerprints; errors.BadArgumentError, with the prefix `where`, if an earlier version kept none."""
    if recorded is None:
        raise errors.BadArgumentError(
            f"{where}: begun by an earlier version, which held out other images for validation; finish it with that "
            f"version, or choose another --{_flag(where)}"
        )
    return recorded


def _flag(where: str) -> str:
    return where.partition("=")[0]


def digest(image: np.ndarray) -> bytes:
    """The SHA-256 of an image's pixels, uint8 [H, W, 3]."""
    return hashlib.sha256(image.tobytes()).digest()


def tfds_examples(split: str, examples: Examples) -> Iterator[tuple[int, dict[str, Any]]]:
    """The (key, example) pairs of a split in canonical order, for a TFDS builder that does not shuffle."""
    rows = Digests.of(examples).rows()
    for index, place in enumerate(sorted(range(len(rows)), key=rows.__getitem__)):
        labels = {"label": int(examples.fine[place]), "coarse_label": int(examples.coarse[place])}
        yield index, {"id": f"{split}_{index:05d}", "image": png.encode(examples.images[place]), **labels}
