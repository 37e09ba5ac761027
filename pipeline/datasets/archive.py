"""Reads CIFAR-100 from an archive or folder of either official form.

Nothing is extracted: the known files are decoded in one pass over the archive, within limits of memory, and are used
only after the pass has read every member and the checksum at the end.
"""

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Collection, Iterator

from pipeline.common import errors, paths, progress
from pipeline.datasets import canonical, records
from pipeline.datasets.containers.member import ContainerError, Member
from pipeline.datasets.containers.members import members

BINARY_FORM, PYTHON_FORM = "cifar-100-binary", "cifar-100-python"
_REQUIRED = {BINARY_FORM: ("train.bin", "test.bin"), PYTHON_FORM: ("train", "test")}
_NAMES = {BINARY_FORM: ("fine_label_names.txt", "coarse_label_names.txt"), PYTHON_FORM: ("meta",)}
_KNOWN = frozenset(name for names in (*_REQUIRED.values(), *_NAMES.values()) for name in names)
_OVERHEAD_BYTES = 16 << 20  # directories, label names, other files beside them
_MAX_NAMES_BYTES = 1 << 20
_MAX_KNOWN = 100  # files with known names: each takes up to 0.2 s
_REMEDY = f"expected a complete {BINARY_FORM} or {PYTHON_FORM}, as .tar, .tar.gz, .tar.bz2, .tar.xz, .zip or folder"
# What is found in place of CIFAR-100, by the name of a file.
_OTHER_CONTENTS = (
    (r"data_batch_\d(\.bin)?|test_batch(\.bin)?", "it is CIFAR-10"),
    (r".*\.(tar|tgz|zip|7z|rar|(tar\.)?(gz|bz2|xz|zst))", "it is an archive in an archive: unpack it once"),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Archive:
    """A validated CIFAR-100."""

    path: pathlib.Path
    form: str
    sha256: str | None  # of the packed file; None for a folder
    train: records.Records
    test: records.Records
    statistics: records.Statistics  # of train

    def splits(self) -> dict[str, Iterator[canonical.Example]]:
        """The examples of both splits."""
        return {
            name: progress.track(split.examples(), f"reading the images of {name}", len(split.rows), "images")
            for name, split in (("train", self.train), ("test", self.test))
        }

    def official_name(self, spec: records.Spec) -> str | None:
        """The name of the official file with this checksum; None for an unknown checksum."""
        names = [name for name, checksum in spec.sha256.items() if checksum == self.sha256]
        splits = {"train": self.train, "test": self.test}
        sha1 = {name: hashlib.sha1(split.rows.data, usedforsecurity=False) for name, split in splits.items()}
        if {name: checksum.hexdigest() for name, checksum in sha1.items()} == spec.records_sha1:
            names.append(f"records of {BINARY_FORM}")
        return names[0] if names else None


def read(path: str | os.PathLike[str], spec: records.Spec, *, source: str) -> Archive:
    """Read and validate an archive, compressed or not, or an extracted folder.

    errors.BadArgumentError, with the prefix `source` (such as `archive=PATH`), if it is not a complete CIFAR-100.
    """
    path = paths.local(path, "archive")
    try:
        with progress.task(f"reading {path}"):
            files = _Files(spec)
            for member in members(path, wanted=_KNOWN, max_bytes=_max_bytes(spec)):
                files.add(member)
                if path.is_dir() and files.is_complete():
                    break  # not on to copies in folders further in
            form, train, test = files.data_set()
            statistics = records.check(train, test, spec)
            checksum = None if path.is_dir() else sha256_of(path)
    except (ContainerError, records.RecordsError) as error:
        raise errors.BadArgumentError(f"{source}: {error}; {_REMEDY}") from error
    except OSError as error:
        where = f"{error.filename} " if error.filename and str(error.filename) != str(path) else ""
        problem = f"{where}cannot be read ({error.strerror or error})"
        raise errors.BadArgumentError(f"{source}: {problem}; {_REMEDY}") from error
    return Archive(path, form, checksum, train, test, statistics)


def sha256_of(path: pathlib.Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Files:
    """The known files of an archive, decoded, or the error of each."""

    def __init__(self, spec: records.Spec) -> None:
        self._spec = spec
        self._found: dict[pathlib.PurePosixPath, records.Records | records.RecordsError | None] = {}
        self._tried: dict[str, pathlib.PurePosixPath] = {}  # name -> the file of records that has been decoded
        self._other_contents = ""

    def add(self, member: Member) -> None:
        """Decode a file, if its name is known."""
        name = member.path.name
        if name not in _KNOWN:
            kinds = [kind for pattern, kind in _OTHER_CONTENTS if re.fullmatch(pattern, name, re.IGNORECASE)]
            self._other_contents = self._other_contents or next(iter(kinds), "")
            return
        if member.path in self._found:
            raise ContainerError(f"holds {str(member.path)!r} twice")
        if len(self._found) == _MAX_KNOWN:
            raise ContainerError(f"holds more than {_MAX_KNOWN} files with the names of CIFAR-100's")
        try:
            self._found[member.path] = self._decoded(member)
        except records.RecordsError as error:  # raised if this is the file that is used
            self._found[member.path] = error
        while member.file.read(1 << 20):  # on to a checksum that follows
            pass

    def is_complete(self) -> bool:
        """Whether there is a data set without an error."""
        return _form_and_folder(self._without_errors()) is not None

    def _without_errors(self) -> list[pathlib.PurePosixPath]:
        return [path for path, content in self._found.items() if not isinstance(content, records.RecordsError)]

    def _decoded(self, member: Member) -> records.Records | None:
        name = member.path.name
        split = name.removesuffix(".bin")
        low, high = _sizes(name, self._spec)
        if not low <= member.size <= high:
            expected = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            raise records.RecordsError(f"{str(member.path)!r} has {member.size:,} bytes; expected {expected}")
        if split in ("train", "test"):
            if name in self._tried:  # which would take another 154 MB, and seconds
                raise ContainerError(f"holds both '{self._tried[name]}' and '{member.path}': leave one of the copies")
            self._tried[name] = member.path
            return records.decode(name, member.file, self._spec.num_rows(split))
        records.check_names(name, member.file)
        return None

    def data_set(self) -> tuple[str, records.Records, records.Records]:
        """The form, and the records of train and test."""
        place = _form_and_folder(self._without_errors()) or _form_and_folder(self._found)
        if place is None:
            raise ContainerError(_problem(self._found, self._other_contents))
        form, folder = place
        for name in (*_REQUIRED[form], *_NAMES[form]):
            error = self._found.get(folder / name)
            if isinstance(error, records.RecordsError):
                raise error
        train, test = (self._found[folder / name] for name in _REQUIRED[form])
        assert isinstance(train, records.Records)
        assert isinstance(test, records.Records)
        return form, train, test


def _form_and_folder(paths: Collection[pathlib.PurePosixPath]) -> tuple[str, pathlib.PurePosixPath] | None:
    """The form of a data set and the outermost folder that holds its records; None if there is none."""
    folders = sorted({path.parent for path in paths}, key=lambda folder: (len(folder.parts), folder))
    for form, required in _REQUIRED.items():
        for folder in folders:
            if all(folder / name in paths for name in required):
                return form, folder
    return None


def _problem(paths: Collection[pathlib.PurePosixPath], other_contents: str) -> str:
    """What is missing."""
    for form, required in _REQUIRED.items():
        missing = [name for name in required if not any(path.name == name for path in paths)]
        if len(missing) < len(required):
            problem = f"missing {missing[0]}" if missing else f"{' and '.join(required)} are in different folders"
            return f"incomplete {form}: {problem}"
    return f"not CIFAR-100: {other_contents or 'it has neither train.bin and test.bin nor train and test'}"


def _sizes(name: str, spec: records.Spec) -> tuple[int, int]:
    """The smallest and the largest size of a file, in bytes."""
    split, extension, _ = name.partition(".bin")
    if split not in ("train", "test"):
        return 0, _MAX_NAMES_BYTES
    rows = spec.num_rows(split)
    if extension:
        return rows * records.ROW_BYTES, rows * records.ROW_BYTES
    # Protocol 0 writes up to four characters for a byte; names and labels follow.
    return rows * records.PIXELS, rows * (4 * records.PIXELS + 1024) + (1 << 20)


def _max_bytes(spec: records.Spec) -> int:
    """The size of an archive of both forms, unpacked."""
    return sum(_sizes(name, spec)[1] for name in _KNOWN) + _OVERHEAD_BYTES
