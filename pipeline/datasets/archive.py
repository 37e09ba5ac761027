"""Reads CIFAR-100 from an archive or folder of either official form.

Nothing is extracted: the known files are read into memory, within limits, in one pass over the archive, and are used
only after the pass has read every member and the checksum at the end.
"""

import dataclasses
import gzip
import hashlib
import io
import os
import pathlib
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO

from pipeline.common import errors, paths, progress
from pipeline.datasets import canonical, records

BINARY_FORM, PYTHON_FORM = "cifar-100-binary", "cifar-100-python"
_REQUIRED = {BINARY_FORM: ("train.bin", "test.bin"), PYTHON_FORM: ("train", "test")}
_NAMES = {BINARY_FORM: ("fine_label_names.txt", "coarse_label_names.txt"), PYTHON_FORM: ("meta",)}
_KNOWN = {name for names in (*_REQUIRED.values(), *_NAMES.values()) for name in names}
_GZIP_MAGIC = b"\x1f\x8b"
_OVERHEAD_BYTES = 16 << 20  # directories, label names, tar's padding
_REMEDY = f"expected a complete {BINARY_FORM} or {PYTHON_FORM}, as .tar.gz or as extracted folder"


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
    """Read and validate a tar file, gzipped or not, or an extracted folder.

    errors.BadArgumentError, with the prefix `source` (such as `--archive=PATH`), if it is not a complete CIFAR-100.
    """
    path = paths.local(path, "archive")
    try:
        with progress.task(f"reading {path}"):
            files, checksum = (_read_folder(path, spec), None) if path.is_dir() else _read_tar(path, spec)
            form, folder = _find_form(files)
            contents = {file.name: data for file, data in files.items() if file.parent == folder}
            train, test = (records.decode(name, contents[name]) for name in _REQUIRED[form])
            for name in _NAMES[form]:
                if name in contents:
                    records.check_names(name, contents[name])
            statistics = records.check(train, test, spec)
    except (_ArchiveError, records.RecordsError) as error:
        raise errors.BadArgumentError(f"{source}: {error}; {_REMEDY}") from error
    except OSError as error:
        raise errors.BadArgumentError(f"{source}: cannot be read ({error.strerror or error}); {_REMEDY}") from error
    return Archive(path, form, checksum, train, test, statistics)


def sha256_of(path: pathlib.Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _ArchiveError(ValueError):
    """The problem of an archive; `read` adds its name and the remedy."""


_Files = dict[pathlib.PurePosixPath, bytes]


def _read_folder(path: pathlib.Path, spec: records.Spec) -> _Files:
    """The files of an extracted folder or of its subfolder, where other libraries put them."""
    paths = [
        pathlib.PurePosixPath(folder, name)
        for folder in (".", BINARY_FORM, PYTHON_FORM)
        for name in sorted(_KNOWN)
        if (path / folder / name).is_file()  # neither a folder nor a pipe
    ]
    form, folder = _find_form(paths)
    files: _Files = {}
    for relative in paths:
        if relative.parent == folder and relative.name in (*_REQUIRED[form], *_NAMES[form]):
            _check_size(str(relative), (path / relative).stat().st_size, relative.name, spec)
            files[relative] = (path / relative).read_bytes()
    return files


def _read_tar(path: pathlib.Path, spec: records.Spec) -> tuple[_Files, str]:
    if not path.exists():
        raise _ArchiveError("no such file or folder")
    if not path.is_file():
        raise _ArchiveError("is neither a file nor a folder")
    if path.stat().st_size == 0:
        raise _ArchiveError("is an empty file")
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        packed = _Counted(file)
        max_bytes = 2 * (spec.num_rows("train") + spec.num_rows("test")) * records.ROW_BYTES + _OVERHEAD_BYTES
        unpacked = _Counted(gzip.GzipFile(fileobj=packed) if is_packed else packed, max_bytes)
        try:
            files = _read_members(unpacked, spec)
            # Read on after the end mark of tar: gzip's checksum ends the file, and SHA-256 is that of the whole file.
            while unpacked.read(1 << 20):
                pass
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _ArchiveError(f"is truncated or damaged ({error})") from error
        except _ArchiveError:
            raise
        except (tarfile.TarError, ValueError) as error:  # ValueError: a header with invalid numbers
            problem = "not a tar archive" if unpacked.num_bytes <= tarfile.RECORDSIZE else "is truncated or damaged"
            raise _ArchiveError(f"{problem} ({error})") from error
    return files, packed.sha256.hexdigest()


def _read_members(stream: "_Counted", spec: records.Spec) -> _Files:
    files: _Files = {}
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            path = _safe_path(member)
            if not member.isfile() or path.name not in _KNOWN:
                continue
            if path in files:
                raise _ArchiveError(f"holds {member.name!r} twice")
            _check_size(member.name, member.size, path.name, spec)
            content = tar.extractfile(member)
            assert content is not None  # it is a regular file
            files[path] = content.read()
    return files


def _safe_path(member: tarfile.TarInfo) -> pathlib.PurePosixPath:
    # No path is dangerous, since nothing is extracted; but CIFAR-100 has no such paths.
    path = pathlib.PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _ArchiveError(f"holds {member.name!r}, a path that escapes its folder")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _ArchiveError(f"holds {member.name!r}, which is a link, a device or another special file")
    return path


class _Counted(io.RawIOBase):
    """Counts and hashes the bytes read; more than `limit` raise an error (a decompression bomb)."""

    def __init__(self, file: IO[bytes] | io.RawIOBase | gzip.GzipFile, limit: int | None = None) -> None:
        self._file, self._limit = file, limit
        self.num_bytes = 0
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; fewer only at the end."""
        data = self._file.read(size) or b""
        self.num_bytes += len(data)
        if self._limit is None:
            self.sha256.update(data)
        elif self.num_bytes > self._limit:
            raise _ArchiveError(f"unpacks to more than {self._limit >> 20} MiB, more than CIFAR-100 has")
        return data


def _find_form(paths: Iterable[pathlib.PurePosixPath]) -> tuple[str, pathlib.PurePosixPath]:
    """The form of the data set and the folder of its files."""
    paths = set(paths)
    folders = sorted({path.parent for path in paths}, key=lambda folder: (len(folder.parts), folder))
    for form, required in _REQUIRED.items():
        for folder in folders:
            if all(folder / name in paths for name in required):
                return form, folder
    for form, required in _REQUIRED.items():
        missing = [name for name in required if not any(path.name == name for path in paths)]
        if len(missing) < len(required):
            problem = f"missing {missing[0]}" if missing else f"{' and '.join(required)} are in different folders"
            raise _ArchiveError(f"incomplete {form}: {problem}")
    raise _ArchiveError("not CIFAR-100: it has neither train.bin and test.bin nor train and test")


def _check_size(shown: str, size: int, name: str, spec: records.Spec) -> None:
    """Check a file's size before reading it."""
    split = name.removesuffix(".bin")
    rows = spec.num_rows(split) if split in ("train", "test") else 0
    low, high = rows * records.PIXELS, rows * (records.PIXELS + 256) + (1 << 20)  # a pickle has file names and framing
    if name.endswith(".bin"):
        low = high = rows * records.ROW_BYTES
    if not low <= size <= high:
        expected = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        raise _ArchiveError(f"{shown!r} has {size:,} bytes; expected {expected}")
