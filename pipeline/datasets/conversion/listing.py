"""The files that a data set was made of, by which a change of them is noticed: 16 bytes a file."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable

import numpy as np

from pipeline.common import files
from pipeline.datasets import prepared
from pipeline.datasets.conversion.image_source import SourceFile

FILE = "listing.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class Listing:
    """Hashes of the names of files, uint64 [N] and sorted, and of their sizes and times, uint64 [N]."""

    names: np.ndarray
    states: np.ndarray

    @classmethod
    def of(cls, source_files: Iterable[SourceFile]) -> "Listing":
        """The listing of the files of a source."""
        hashes = b"".join(_hash(file.name) + _hash(f"{file.size} {file.mtime_ns}") for file in source_files)
        names, states = np.frombuffer(hashes, np.uint64).reshape(-1, 2).T
        order = np.argsort(names)
        return cls(names[order], states[order])

    @property
    def digest(self) -> str:
        """SHA-256 of the listing."""
        return hashlib.sha256(self.names.tobytes() + self.states.tobytes()).hexdigest()

    def write(self, folder: pathlib.Path) -> None:
        """Write the listing to the version folder of the data set that is made of the files."""
        with files.replacing(folder / FILE) as temporary:
            np.savez(temporary, names=self.names, states=self.states)

    @classmethod
    def read(cls, folder: pathlib.Path) -> "Listing":
        """The inverse of `write`; errors.DamagedError or errors.FailedError where that fails."""
        with (
            files.reading(*prepared.where(folder / FILE)),
            files.decoding(),
            open(folder / FILE, "rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            return cls(arrays["names"], arrays["states"])


def changes(folder: pathlib.Path, source_files: Iterable[SourceFile]) -> str:
    """Which files of a source have changed since the data set in a version folder was made of them: "" for none.

    Otherwise such as "3 added, 1 removed, 2 changed".
    """
    before, now = Listing.read(folder), Listing.of(source_files)
    is_old = np.isin(now.names, before.names, assume_unique=True)
    is_left = np.isin(before.names, now.names, assume_unique=True)
    num_changed = np.count_nonzero(now.states[is_old] != before.states[is_left])  # both are sorted by name
    counts = {"added": np.count_nonzero(~is_old), "removed": np.count_nonzero(~is_left), "changed": num_changed}
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
