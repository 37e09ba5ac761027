"""The folder of prepared data sets (`data_dir`), to which data sets are added atomically.

    with prepared.lock(data_dir):                      # one writer at a time
        with prepared.staging(data_dir) as folder:     # data_dir/.staging-XXXX, removed at the end
            ...                                        # TFDS writes folder/cifar100/3.0.2
            prepared.publish(folder, data_dir, "cifar100", provenance)

A version folder appears by one rename, so it is always complete. The next writer removes a killed writer's staging
folder.
"""

import contextlib
import dataclasses
import errno
import os
import pathlib
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.common import errors, files, json_values, locked_folder, paths
from pipeline.common.json_values import OBJECT, TEXT, TEXT_OR_NULL, array, required
from pipeline.datasets import builtin
from pipeline.datasets.cifar.spec import SPECS
from pipeline.datasets.description import Description

CONVERTED_VERSION = "1.0.0"  # of data sets that are made of class folders, or of other TFDS data sets
PROVENANCE = "provenance.json"
DESCRIPTION = "description.json"  # of a converted data set
CACHE = "cache"  # of a data set: files that are made of it
_PARTS = ".preparing"
_STAGING = ".staging-"
_DOWNLOAD = ".download"
LOCK = ".prepare.lock"
_Path = str | os.PathLike[str]
_PROVENANCE_SCHEMA = required(
    {},
    fingerprints=OBJECT,
    **dict.fromkeys(("how", "path", "url"), TEXT),
    **dict.fromkeys(("official", "sha256"), TEXT_OR_NULL),
)
COUNT = {"type": ["string", "integer"], "pattern": "^[0-9]+$"}  # as Protocol Buffers write 64 bits
_SPLIT = required({"name": TEXT, "shardLengths": array(COUNT, minItems=1), "numBytes": COUNT})
INFO = required({"name": TEXT, "version": TEXT, "splits": array(_SPLIT, minItems=1)})  # of dataset_info.json


def folder(data_dir: _Path, dataset: str) -> pathlib.Path:
    """The folder of a data set, prepared or not. `dataset` is its name as TFDS has it: `SourceConfig.prepared_name`."""
    return root(data_dir) / dataset / builtin.VERSIONS.get(dataset, CONVERTED_VERSION)


def root(data_dir: _Path) -> pathlib.Path:
    """The absolute path of a `--data_dir`."""
    path = paths.local(data_dir, "data_dir").absolute()
    paths.check_folder(path, "data_dir")
    return path


def is_prepared(data_dir: _Path, dataset: str) -> bool:
    """Whether the data set is prepared."""
    return (folder(data_dir, dataset) / "dataset_info.json").is_file()


def check_prepared(data_dir: _Path, dataset: str) -> None:
    """Check that the data set is prepared, in canonical order.

    Raises:
      errors.FailedError: `pipeline.prepare` has not prepared it.
      errors.BadArgumentError: an earlier version has, in the order of its files.
    """
    check_order(data_dir, dataset)
    if not is_prepared(data_dir, dataset):
        raise errors.FailedError(
            f"data_dir={data_dir}: {dataset} is not prepared there; run: {command(data_dir, dataset)}"
        )


def check_writable(data_dir: _Path) -> None:
    """Raise errors.BadArgumentError unless a data set can be written to `data_dir`."""
    files.check_folder_writable("data_dir", root(data_dir))


def describe(data_dir: _Path, dataset: str) -> Description | None:
    """What a prepared data set says of itself, or a built-in one that is not prepared; None for another.

    errors.FailedError where the file that has it is damaged.
    """
    known = builtin.describe(dataset) if dataset in builtin.VERSIONS else None
    if not is_prepared(data_dir, dataset):
        return known
    path = folder(data_dir, dataset) / ("dataset_info.json" if known else DESCRIPTION)
    with files.reading(*where(path)):
        if known is None:
            return Description.from_dict(json_values.parse(path.read_bytes()))
        splits = json_values.parse(path.read_bytes(), INFO)["splits"]
        counts = {split["name"]: sum(map(int, split["shardLengths"])) for split in splits}
        return dataclasses.replace(known, num_examples=counts)


def description(data_dir: _Path, dataset: str) -> Description:
    """What a prepared data set says of itself; errors as of `check_prepared`."""
    check_prepared(data_dir, dataset)
    known = describe(data_dir, dataset)
    assert known is not None  # since it is prepared
    return known


def recorded_fingerprint(data_dir: _Path, dataset: str) -> str:
    """The fingerprint of the records as the data set's preparation recorded it; "" where it is not known."""
    recorded = provenance(data_dir, dataset)
    return recorded.get("fingerprints", {}).get("records", "")


def provenance(data_dir: _Path, dataset: str) -> dict[str, Any]:
    """The provenance of a prepared data set; {} for one that TFDS prepared."""
    path = folder(data_dir, dataset) / PROVENANCE
    return files.read_json(path, *where(path), schema=_PROVENANCE_SCHEMA) or {}


def where(path: pathlib.Path) -> tuple[str, str]:
    """How the error of a damaged file in a version folder begins, and what to do: arguments of `files.read_json`."""
    place = path.parent
    data_dir, dataset = place.parents[1], place.parent.name
    return f"data_dir={data_dir}: {path}", f"remove {place} and run: {command(data_dir, dataset)}"


def command(data_dir: _Path, dataset: str) -> str:
    """The shell command that prepares a data set."""
    given = (
        dataset
        if dataset in builtin.VERSIONS
        else {"folder": "folder:PATH", "tfds": "tfds:NAME"}.get(dataset.partition("_")[0], "NAME")
    )
    return f"python -m pipeline.prepare --dataset={given} --data_dir={shlex.quote(str(data_dir))}"


def is_in_file_order(data_dir: _Path, dataset: str) -> bool:
    """Whether an earlier version of `pipeline.prepare` wrote the data set, in the order of its files."""
    recorded = provenance(data_dir, dataset)
    return bool(recorded) and "fingerprints" not in recorded


def check_order(data_dir: _Path, dataset: str) -> None:
    """Raise errors.BadArgumentError if `is_in_file_order`."""
    if is_in_file_order(data_dir, dataset):
        raise errors.BadArgumentError(
            f"data_dir={data_dir}: {dataset} was prepared by an earlier version, in the order of its files; expected "
            f"canonical order; run: {command(data_dir, dataset)}"
        )


@contextlib.contextmanager
def lock(data_dir: _Path) -> Iterator[None]:
    """Hold the lock of the writer; log a message before waiting for another writer. OSError where that fails."""
    path = root(data_dir)

    def announce() -> None:
        print(f"prepare: waiting for another process that prepares data in {path}", file=sys.stderr, flush=True)

    with locked_folder.locked(path, name=LOCK, on_wait=announce):
        yield


@contextlib.contextmanager
def staging(data_dir: _Path) -> Iterator[pathlib.Path]:
    """A temporary folder in `data_dir`, thus on the same file system; requires `lock`."""
    for stale in root(data_dir).glob(f"{_STAGING}*"):
        _remove(stale)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=root(data_dir), ignore_cleanup_errors=True) as path:
        yield pathlib.Path(path)


def parts_folder(data_dir: _Path, dataset: str) -> pathlib.Path:
    """The folder of the parts that a conversion has read, which the next call continues if this one ends early."""
    return root(data_dir) / _PARTS / dataset


def remove_parts(data_dir: _Path, dataset: str) -> None:
    """Remove the folder of the parts that a conversion has read; requires `lock`."""
    parts = parts_folder(data_dir, dataset)
    _remove(parts)
    with contextlib.suppress(OSError):  # of other data sets
        parts.parent.rmdir()


def download_folder(data_dir: _Path) -> pathlib.Path:
    """The folder of a download, which the next call continues if this one ends early."""
    return root(data_dir) / _DOWNLOAD


def remove_download(data_dir: _Path) -> None:
    """Remove the folder of a download."""
    _remove(download_folder(data_dir))


def publish(
    staged: pathlib.Path, data_dir: _Path, dataset: str, provenance: Mapping[str, Any], *, replace: bool = False
) -> pathlib.Path:
    """Move a data set from a staging folder to its folder, which is returned, and write its provenance.

    One that `is_in_file_order` is replaced, and with `replace` any.

    Raises:
      errors.FailedError: TFDS wrote another version, or another folder exists.
      OSError: the target cannot be written.
    """
    source, target = folder(staged, dataset), folder(data_dir, dataset)
    if not is_prepared(staged, dataset):
        raise errors.FailedError(f"{dataset}: TFDS did not write version {target.name}")
    files.write_json(source / PROVENANCE, {"dataset": dataset, **provenance})
    files.make_folder(target.parent)
    try:
        _move(source, _new(target))
        files.fsync_tree(_new(target))
        if is_in_file_order(data_dir, dataset) or (replace and target.exists()):
            target.rename(_replaced(target))
        _new(target).rename(target)
        files.fsync(target.parent)
    except OSError as error:
        recover(data_dir, dataset)
        if error.errno != errno.ENOTEMPTY:
            raise
        raise errors.FailedError(f"{target} cannot be replaced ({error.strerror}); move it and try again") from error
    _remove(_replaced(target))
    return target


def _move(source: pathlib.Path, target: pathlib.Path) -> None:
    """Move a folder, perhaps to another disk: a data set's folder may be a link."""
    try:
        shutil.move(source, target)
    except shutil.Error as error:  # of several files, without error numbers
        _, path, reason = error.args[0][0]
        number = re.search(r"\[Errno (\d+)\]", reason)
        raise OSError(int(number[1]) if number else errno.EIO, reason, path) from error


def recover(data_dir: _Path, dataset: str) -> None:
    """Put back the data set that a killed or failed `publish` was about to replace; requires `lock`."""
    target = folder(data_dir, dataset)
    if _replaced(target).exists() and not target.exists():
        _replaced(target).rename(target)
        files.fsync(target.parent)
    _remove(_replaced(target))
    _remove(_new(target))


def sweep(data_dir: _Path, dataset: str) -> None:
    """Remove what killed writers left beside a prepared data set, unless another process writes or that fails."""
    target = folder(data_dir, dataset)
    in_root = [*root(data_dir).glob(_DOWNLOAD)] if dataset in SPECS else _converted_parts(data_dir, dataset)
    in_root += [*root(data_dir).glob(f"{_STAGING}*"), *target.parent.glob(".*.new"), *target.parent.glob(".*.replaced")]
    for place, leftovers in ((root(data_dir), in_root), (target / CACHE, [*(target / CACHE).glob(".*.partial*")])):
        if leftovers:
            with contextlib.suppress(OSError, errors.BusyError), locked_folder.locked(place, name=LOCK):
                for path in leftovers:
                    _remove(path)


def _converted_parts(data_dir: _Path, dataset: str) -> list[pathlib.Path]:
    """The folder of the parts that a prepared data set was made of, with the one around it unless others are in it.

    Newer parts are not among them: a conversion that is to replace the data set was interrupted, and will continue.
    """
    parts = parts_folder(data_dir, dataset)
    with contextlib.suppress(OSError):  # another process removes them
        newest = max((path.stat().st_mtime for path in parts.glob("*")), default=0.0)
        if newest <= (folder(data_dir, dataset) / "dataset_info.json").stat().st_mtime:
            has_others = {path.name for path in parts.parent.iterdir()} - {parts.name}
            leftover = parts if has_others else parts.parent
            return [leftover] if leftover.exists() else []
    return []


def _remove(path: pathlib.Path) -> None:
    """Remove a folder or a file as far as that is possible."""
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


def _new(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(f".{target.name}.new")


def _replaced(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(f".{target.name}.replaced")
