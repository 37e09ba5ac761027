"""Reading CIFAR-100 from what a person has on disk: either official form, packed or extracted.

    archive.read("~/Downloads/cifar-100-python.tar.gz", OFFICIAL, given="--archive=...")

Nothing is ever extracted: the few known files are read into memory, within limits, in one pass over the archive, and
none is used before the pass has seen every member and the last checksum byte. NumPy is all that this needs.
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
_REMEDY = f"give a whole {BINARY_FORM} or {PYTHON_FORM}, as .tar.gz or as extracted folder"


@dataclasses.dataclass(frozen=True, eq=False)
class Archive:
    """A whole CIFAR-100, checked."""

    path: pathlib.Path
    form: str
    sha256: str | None  # of the packed file; a folder has none
    train: records.Records
    test: records.Records
    statistics: records.Statistics  # of train

    def official_name(self, spec: records.Spec) -> str | None:
        """The official file that this is by its checksum, None where the checksum is unknown."""
        for name, checksum in spec.sha256.items():
            if self.sha256 == checksum:
                return name
        if {"train": self.train.sha1, "test": self.test.sha1} == spec.records_sha1:
            return f"records of {BINARY_FORM}"
        return None


def read(path: str | os.PathLike[str], spec: records.Spec, *, given: str) -> Archive:
    """Read and check an archive or an extracted folder.

    Args:
      path: a tar file, packed by gzip or not, or a folder; of either form.
      spec: what a whole data set looks like.
      given: how an error names the path, such as `--archive=PATH`.

    Raises:
      errors.BadArgumentError: the path holds no whole CIFAR-100.
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
        raise errors.BadArgumentError(f"{given}: {error}; {_REMEDY}") from error
    except OSError as error:
        raise errors.BadArgumentError(f"{given}: cannot be read ({error.strerror or error}); {_REMEDY}") from error
    return Archive(path, form, checksum, train, test, statistics)


def sha256_of(path: pathlib.Path) -> str:
    """The checksum of a file, read a piece at a time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _ArchiveError(ValueError):
    """What is wrong with the container; `read` adds which one it is and what to do."""


_Files = dict[pathlib.PurePosixPath, bytes]


def _read_folder(path: pathlib.Path, spec: records.Spec) -> _Files:
    """The files of an extracted folder, or of the one inside the folder that downloaders and other libraries leave."""
    found = [
        pathlib.PurePosixPath(folder, name)
        for folder in (".", BINARY_FORM, PYTHON_FORM)
        for name in sorted(_KNOWN)
        if (path / folder / name).is_file()  # neither a folder nor a pipe that would never end
    ]
    form, folder = _find_form(found)
    files: _Files = {}
    for relative in found:
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
            # To the end, past tar's own end mark: gzip keeps its checksum there, and ours is of the whole file.
            while unpacked.read(1 << 20):
                pass
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _ArchiveError(f"is truncated or damaged ({error})") from error
        except _ArchiveError:
            raise
        except (tarfile.TarError, ValueError) as error:  # ValueError: a header whose numbers are none
            problem = "is no tar archive" if unpacked.num_bytes <= tarfile.RECORDSIZE else "is truncated or damaged"
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
            assert content is not None  # a regular file always has one
            files[path] = content.read()
    return files


def _safe_path(member: tarfile.TarInfo) -> pathlib.PurePosixPath:
    # Nothing is extracted, so no path could do harm; but an archive that tries is not the one a person meant to give.
    path = pathlib.PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _ArchiveError(f"holds {member.name!r}, a path that escapes its folder")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _ArchiveError(f"holds {member.name!r}, which is a link, a device or another special file")
    return path


class _Counted(io.RawIOBase):
    """Passes reads through, hashing and counting them; more than `limit` bytes are refused (a decompression bomb)."""

    def __init__(self, file: IO[bytes] | io.RawIOBase | gzip.GzipFile, limit: int | None) -> None:
        self._file, self._limit = file, limit
        self.num_bytes = 0
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        """As every file that is open for reading."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; fewer at the end alone."""
        data = self._file.read(size) or b""
        self.num_bytes += len(data)
        if self._limit is None:
            self.sha256.update(data)
        elif self.num_bytes > self._limit:
            raise _ArchiveError(f"unpacks to more than {self._limit >> 20} MiB, which no CIFAR-100 does")
        return data


def _find_form(paths: Iterable[pathlib.PurePosixPath]) -> tuple[str, pathlib.PurePosixPath]:
    """Which form the files make, and in which of their folders."""
    paths = set(paths)
    folders = sorted({path.parent for path in paths}, key=lambda folder: (len(folder.parts), folder))
    for form, required in _REQUIRED.items():
        for folder in folders:
            if all(folder / name in paths for name in required):
                return form, folder
    for form, required in _REQUIRED.items():
        missing = [name for name in required if not any(path.name == name for path in paths)]
        if len(missing) < len(required):
            raise _ArchiveError(f"is no whole {form}: {' and '.join(missing) or 'its parts'} not found beside the rest")
    raise _ArchiveError("is no CIFAR-100: it holds neither train.bin and test.bin nor train and test")


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
            is_binary = form == BINARY_FORM
            names = records.names_from_binary(data) if is_binary else records.names_from_python(data, kind)
            records.check_names(kind, names)


def _check_size(shown: str, size: int, name: str, spec: records.Spec) -> None:
    """Before a file is read, so that a wrong one costs neither time nor memory."""
    split = name.removesuffix(".bin")
    if name.endswith(".bin"):
        expected = spec.num_rows(split) * records.ROW_BYTES
        if size != expected:
            raise _ArchiveError(f"{shown!r} has {size:,} bytes; expected {expected:,}")
    else:
        # A pickle adds file names and framing of its own to each row.
        rows = spec.num_rows(split) if split in ("train", "test") else 0
        low, high = rows * records.PIXELS, rows * (records.PIXELS + 256) + (1 << 20)
        if not low <= size <= high:
            raise _ArchiveError(f"{shown!r} has {size:,} bytes; expected {low:,} to {high:,}")


def _max_bytes(spec: records.Spec) -> int:
    return 2 * (spec.num_rows("train") + spec.num_rows("test")) * records.ROW_BYTES + _SLACK_BYTES
