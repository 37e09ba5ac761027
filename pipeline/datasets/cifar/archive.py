"""Reads CIFAR-100 or CIFAR-10 from an archive or folder of either official form, or from Parquet files.

Nothing is extracted: the known files are decoded in one pass over the archive, within limits of memory, and are used
only after the pass has read every member and the checksum at the end.
"""

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Collection, Iterable, Iterator

import numpy as np

from pipeline.common import errors, paths, progress
from pipeline.datasets import canonical
from pipeline.datasets.cifar import parquet, records
from pipeline.datasets.cifar.spec import PIXELS, SPECS, Form, Spec
from pipeline.datasets.containers.member import ContainerError, Member
from pipeline.datasets.containers.members import members

_OVERHEAD_BYTES = 16 << 20  # directories, label names, other files beside them
_MAX_NAMES_BYTES = 1 << 20
_MAX_KNOWN = 100  # files with known names: each takes up to 0.2 s
_PACKED = r".*\.(tar|tgz|zip|7z|rar|(tar\.)?(gz|bz2|xz|zst))"


@dataclasses.dataclass(frozen=True, eq=False)
class Archive:
    """A validated copy of a data set."""

    path: pathlib.Path
    form: str
    sha256: str | None  # of the packed file; None for a folder or Parquet files
    train: records.Records
    test: records.Records
    statistics: records.Statistics  # of train

    def splits(self) -> dict[str, Iterator[canonical.Example]]:
        """The examples of both splits."""
        return {
            name: progress.track(split.examples(), f"reading the images of {name}", len(split.rows), "images")
            for name, split in (("train", self.train), ("test", self.test))
        }

    def official_name(self, spec: Spec) -> str | None:
        """The name of the official file with this checksum; None for an unknown checksum."""
        names = [name for name, checksum in spec.sha256.items() if checksum == self.sha256]
        form, sha1 = spec.forms[0], {}
        for split, files in form.splits.items():
            rows = (self.train if split == "train" else self.test).rows
            for name, part in zip(files, np.array_split(rows, len(files)), strict=True):
                sha1[name] = hashlib.sha1(part.data, usedforsecurity=False).hexdigest()
        if sha1 == spec.records_sha1:
            names.append(f"records of {form.name}")
        return names[0] if names else None


def read(path: str | os.PathLike[str], spec: Spec, *, source: str) -> Archive:
    """Read and validate an archive, compressed or not, an extracted folder, or Parquet files: one, or their folder.

    errors.BadArgumentError, with the prefix `source` (such as `--archive=PATH`), if it is not a complete copy.
    """
    path = paths.local(path, "archive")
    remedy = (
        f"expected a complete {' or '.join(form.name for form in spec.forms)}, as .tar, .tar.gz, .tar.bz2, .tar.xz, "
        ".zip or folder, or the Parquet files of Hugging Face"
    )
    try:
        with progress.task(f"reading {path}"):
            form, train, test = _read(path, spec)
            statistics = records.check(train, test, spec)
            checksum = None if path.is_dir() or form == parquet.FORM else sha256_of(path)
    except (ContainerError, records.RecordsError) as error:
        raise errors.BadArgumentError(f"{source}: {error}; {remedy}") from error
    except OSError as error:
        where = f"{error.filename} " if error.filename and str(error.filename) != str(path) else ""
        problem = f"{where}cannot be read ({error.strerror or error})"
        raise errors.BadArgumentError(f"{source}: {problem}; {remedy}") from error
    return Archive(path, form, checksum, train, test, statistics)


def _read(path: pathlib.Path, spec: Spec) -> tuple[str, records.Records, records.Records]:
    """The form, and the records of train and test."""
    if parquet.is_parquet(path) and path.is_file():  # which stands for the others beside it
        splits = parquet.find(map(pathlib.PurePosixPath, os.listdir(path.parent)))
        return parquet.FORM, *parquet.read(path.parent, splits, spec)
    files = _Files(spec)
    for member in members(path, wanted=spec.files, max_bytes=_max_bytes(spec)):
        files.add(member)
        if path.is_dir() and files.is_complete():
            break  # not on to copies in folders further in
    if path.is_dir() and not files.has_records() and (splits := parquet.find(files.parquet)):
        return parquet.FORM, *parquet.read(path, splits, spec)
    return files.data_set()


def sha256_of(path: pathlib.Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Files:
    """The known files of an archive, decoded, or the error of each."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self.parquet: list[pathlib.PurePosixPath] = []
        self._contents: dict[pathlib.PurePosixPath, records.Records | records.RecordsError | None] = {}
        self._tried: dict[str, pathlib.PurePosixPath] = {}  # name -> the file of records that has been decoded
        self._other_contents = ""

    def add(self, member: Member) -> None:
        """Decode a file, if its name is known."""
        name = member.path.name
        if name not in self._spec.files:
            self._other_contents = self._other_contents or _other_contents(name)
            self.parquet += [member.path] if parquet.is_parquet(member.path) else []
            return
        if member.path in self._contents:
            raise ContainerError(f"holds {str(member.path)!r} twice")
        if len(self._contents) == _MAX_KNOWN:
            raise ContainerError(f"holds more than {_MAX_KNOWN} files with the names of {self._spec.title}'s")
        try:
            self._contents[member.path] = self._decoded(member)
        except records.RecordsError as error:  # raised if this is the file that is used
            self._contents[member.path] = error
        while member.file.read(1 << 20):  # on to a checksum that follows
            pass

    def is_complete(self) -> bool:
        """Whether there is a data set without an error."""
        return self._place(self._without_errors()) is not None

    def has_records(self) -> bool:
        """Whether there is a data set, perhaps with errors."""
        return self._place(self._contents) is not None

    def _without_errors(self) -> list[pathlib.PurePosixPath]:
        return [path for path, content in self._contents.items() if not isinstance(content, records.RecordsError)]

    def _decoded(self, member: Member) -> records.Records | None:
        name, spec = member.path.name, self._spec
        low, high = _sizes(name, spec)
        if not low <= member.size <= high:
            expected = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            shown = f"{str(member.path)!r} has {member.size:,} bytes{_as_of_another(member.size, name, spec)}"
            raise records.RecordsError(f"{shown}; expected {expected}")
        if name in spec.form_of(name).label_names:
            records.check_names(name, member.file, spec)
            return None
        if name in self._tried:  # which would take as much memory again, and seconds
            raise ContainerError(f"holds both '{self._tried[name]}' and '{member.path}': leave one of the copies")
        self._tried[name] = member.path
        return records.decode(name, member.file, spec)

    def data_set(self) -> tuple[str, records.Records, records.Records]:
        """The form, and the records of train and test."""
        place = self._place(self._without_errors()) or self._place(self._contents)
        if place is None:
            raise ContainerError(self._problem())
        form, folder = place
        for name in form.files:
            error = self._contents.get(folder / name)
            if isinstance(error, records.RecordsError):
                raise error
        train, test = (self._joined(folder / name for name in form.splits[split]) for split in ("train", "test"))
        return form.name, train, test

    def _joined(self, files: Iterable[pathlib.PurePosixPath]) -> records.Records:
        parts = [part.rows for part in map(self._contents.get, files) if isinstance(part, records.Records)]
        return records.Records(np.concatenate(parts) if len(parts) > 1 else parts[0])

    def _place(self, files: Collection[pathlib.PurePosixPath]) -> tuple[Form, pathlib.PurePosixPath] | None:
        """The form of a data set and the outermost folder that holds its records; None if there is none."""
        folders = sorted({file.parent for file in files}, key=lambda folder: (len(folder.parts), folder))
        for form in self._spec.forms:
            for folder in folders:
                if all(folder / name in files for name in form.record_files):
                    return form, folder
        return None

    def _problem(self) -> str:
        """What is missing."""
        names = {path.name for path in self._contents}
        for form in self._spec.forms:
            missing = [name for name in form.record_files if name not in names]
            if len(missing) < len(form.record_files):
                are_apart = f"{' and '.join(form.record_files)} are in different folders"
                return f"incomplete {form.name}: {f'missing {missing[0]}' if missing else are_apart}"
        first = " nor ".join(form.record_files[0] for form in self._spec.forms)
        return f"not {self._spec.title}: {self._other_contents or f'it has neither {first}'}"


def _other_contents(name: str) -> str:
    """What is found in place of a data set, by the name of a file; "" for an unknown one."""
    for spec in SPECS.values():
        if name in spec.files:
            return f"it is {spec.title} (--dataset={spec.name})"
    if parquet.is_parquet(pathlib.PurePosixPath(name)):
        return parquet.INCOMPLETE
    return "it is an archive in an archive: unpack it once" if re.fullmatch(_PACKED, name, re.IGNORECASE) else ""


def _as_of_another(size: int, name: str, spec: Spec) -> str:
    """Which other data set has files of this size, under another name."""
    if spec.form_of(name).is_pickled or name not in spec.form_of(name).record_files:
        return ""
    others = [other for other in SPECS.values() if size == spec.num_records_in(name) * other.record_bytes]
    return "".join(f", as records of {other.title} have (--dataset={other.name})" for other in others)


def _sizes(name: str, spec: Spec) -> tuple[int, int]:
    """The smallest and the largest size of a file, in bytes."""
    form = spec.form_of(name)
    if name in form.label_names:
        return 0, _MAX_NAMES_BYTES
    count = spec.num_records_in(name)
    if not form.is_pickled:
        return count * spec.record_bytes, count * spec.record_bytes
    # Protocol 0 writes up to four characters for a byte; names and labels follow.
    return count * PIXELS, count * (4 * PIXELS + 1024) + (1 << 20)


def _max_bytes(spec: Spec) -> int:
    """The size of an archive of all forms, unpacked."""
    return sum(_sizes(name, spec)[1] for name in spec.files) + _OVERHEAD_BYTES
