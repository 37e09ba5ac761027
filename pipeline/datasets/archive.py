"""Reads CIFAR-100 from a local copy of either official form, packed or extracted.

    archive.read("~/Downloads/cifar-100-python.tar.gz", OFFICIAL, source="--archive=...")

Nothing is extracted: the known files are read into memory, within limits, in one pass over the archive, and none is
used before the pass has read every member and the last byte of the checksum.
"""

import dataclasses
import gzip
import hashlib
import io
import os
import pathlib
import tarfile
import zlib
from collections.abc import Iterable
from typing import IO

from pipeline.common import errors
from pipeline.datasets import records

BINARY_FORM, PYTHON_FORM = "cifar-100-binary", "cifar-100-python"
_REQUIRED = {BINARY_FORM: ("train.bin", "test.bin"), PYTHON_FORM: ("train", "test")}
_NAMES = {BINARY_FORM: ("fine_label_names.txt", "coarse_label_names.txt"), PYTHON_FORM: ("meta",)}
_KNOWN = {name for names in (*_REQUIRED.values(), *_NAMES.values()) for name in names}
_GZIP_MAGIC = b"\x1f\x8b"
_SLACK_BYTES = 16 << 20  # directories, label names, tar's padding
_REMEDY = f"expected a complete {BINARY_FORM} or {PYTHON_FORM}, as .tar.gz or as extracted folder"


@dataclasses.dataclass(frozen=True, eq=False)
class Archive:
    """A complete and checked CIFAR-100."""

    path: pathlib.Path
    form: str
    sha256: str | None  # of the packed file; None for a folder
    train: records.Records
    test: records.Records
    statistics: records.Statistics  # of train

    def official_name(self, spec: records.Spec) -> str | None:
        """The name of the official file with this checksum; None where the checksum is unknown."""
        for name, checksum in spec.sha256.items():
            if self.sha256 == checksum:
                return name
        if {"train": self.train.sha1, "test": self.test.sha1} == spec.records_sha1:
            return f"records of {BINARY_FORM}"
        return None


def read(path: str | os.PathLike[str], spec: records.Spec, *, source: str) -> Archive:
    """Read and check an archive or an extracted folder.

    Args:
      path: a tar file, with gzip or without, or a folder; of either form.
      spec: the expected contents.
      source: the begin of error messages, such as `--archive=PATH`.

    Raises:
      errors.BadArgumentError: the path holds no complete CIFAR-100.
    """
    path = pathlib.Path(path).expanduser()
    checksum: str | None = None
    try:
        if path.is_dir():
            files = _read_folder(path, spec)
        else:
            files, checksum = _read_tar(path, spec)
        form, folder = _find_form(files)
        train, test = (_decode(form, split, files[folder / name]) for split, name in _splits(form))
        _check_names(form, folder, files)
        statistics = records.check(train, test, spec)
    except (_ArchiveError, records.RecordsError) as error:
        raise errors.BadArgumentError(f"{source}: {error}; {_REMEDY}") from error
    except OSError as error:
        raise errors.BadArgumentError(f"{source}: cannot be read ({error.strerror or error}); {_REMEDY}") from error
    return Archive(path, form, checksum, train, test, statistics)


def sha256_of(path: pathlib.Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _ArchiveError(ValueError):
    """The problem of a container; `read` adds its name and the remedy."""


_Files = dict[pathlib.PurePosixPath, bytes]


def _read_folder(path: pathlib.Path, spec: records.Spec) -> _Files:
    """The files of an extracted folder, or of the folder inside it, as other libraries leave it."""
    present = [
        pathlib.PurePosixPath(folder, name)
        for folder in (".", BINARY_FORM, PYTHON_FORM)
        for name in sorted(_KNOWN)
        if (path / folder / name).is_file()  # neither a folder nor a pipe
    ]
    form, folder = _find_form(present)
    files: _Files = {}
    for relative in present:
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
        packed = _Counted(file, limit=None)
        unpacked = _Counted(gzip.GzipFile(fileobj=packed) if is_packed else packed, limit=_max_bytes(spec))
        try:
            files = _read_members(unpacked, spec)
            # Past tar's end mark: gzip's checksum is at the end of the file, and ours is of the whole file.
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
    # Nothing is extracted, so no path is dangerous; but an archive with such a path is not CIFAR-100.
    path = pathlib.PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _ArchiveError(f"holds {member.name!r}, a path that escapes its folder")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _ArchiveError(f"holds {member.name!r}, which is a link, a device or another special file")
    return path


class _Counted(io.RawIOBase):
    """Counts and hashes the bytes read; more than `limit` raise an error (a decompression bomb)."""

    def __init__(self, file: IO[bytes] | io.RawIOBase | gzip.GzipFile, limit: int | None) -> None:
        self._file, self._limit = file, limit
        self.num_bytes = 0
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        """True, as for every file that is open for reading."""
        return True

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
    """The form of the data set that the files make up, and the folder of its files."""
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


def _splits(form: str) -> tuple[tuple[str, str], ...]:
    return tuple(zip(("train", "test"), _REQUIRED[form], strict=True))


def _decode(form: str, split: str, data: bytes) -> records.Records:
    try:
        return records.from_binary(data) if form == BINARY_FORM else records.from_python(data)
    except records.RecordsError as error:
        raise records.RecordsError(f"{split}: {error}") from error


def _check_names(form: str, folder: pathlib.PurePosixPath, files: _Files) -> None:
    for kind in ("fine", "coarse"):
        file = folder / (f"{kind}_label_names.txt" if form == BINARY_FORM else "meta")
        if file in files:
            data = files[file]
            binary = form == BINARY_FORM
            names = records.names_from_binary(data) if binary else records.names_from_python(data, kind)
            records.check_names(kind, names)


def _check_size(shown: str, size: int, name: str, spec: records.Spec) -> None:
    """Check a file's size before it is read, so that a wrong one costs neither time nor memory."""
    split = name.removesuffix(".bin")
    if name.endswith(".bin"):
        expected = spec.num_rows(split) * records.ROW_BYTES
        if size != expected:
            raise _ArchiveError(f"{shown!r} has {size:,} bytes; expected {expected:,}")
    else:
        # A pickle adds file names and framing to each row.
        rows = spec.num_rows(split) if split in ("train", "test") else 0
        low, high = rows * records.PIXELS, rows * (records.PIXELS + 256) + (1 << 20)
        if not low <= size <= high:
            raise _ArchiveError(f"{shown!r} has {size:,} bytes; expected {low:,} to {high:,}")


def _max_bytes(spec: records.Spec) -> int:
    return 2 * (spec.num_rows("train") + spec.num_rows("test")) * records.ROW_BYTES + _SLACK_BYTES
