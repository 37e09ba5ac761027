"""The folder of prepared data sets (`data_dir`), to which data sets are added atomically.

    with prepared.lock(data_dir):                      # one writer at a time
        with prepared.staging(data_dir) as folder:     # data_dir/.staging-XXXX, removed at the end
            ...                                        # TFDS writes folder/cifar100/3.0.2
            prepared.publish(folder, data_dir, "cifar100", provenance)

A version folder appears by one rename, so it is always complete. The next writer removes a killed writer's staging
folder.
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.common import errors, files, locked_folder, paths

VERSIONS = {"cifar100": "3.0.2", "shapes100": "1.0.0", "shapes100_tiny": "1.0.0"}
PROVENANCE = "provenance.json"
_STAGING = ".staging-"
_LOCK = ".prepare.lock"
_Path = str | os.PathLike[str]


def folder(data_dir: _Path, dataset: str) -> pathlib.Path:
    """The folder of a data set, prepared or not."""
    return root(data_dir) / dataset / VERSIONS[dataset]


def root(data_dir: _Path) -> pathlib.Path:
    """The absolute path of a `--data_dir`."""
    path = paths.local(data_dir, "data_dir").absolute()
    paths.check_folder(path, "data_dir")
    return path


def is_prepared(data_dir: _Path, dataset: str) -> bool:
    """Whether the data set is prepared."""
    return (folder(data_dir, dataset) / "dataset_info.json").is_file()


def provenance(data_dir: _Path, dataset: str) -> dict[str, Any]:
    """The provenance of a prepared data set; {} for one that TFDS prepared."""
    path = folder(data_dir, dataset) / PROVENANCE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def is_in_file_order(data_dir: _Path, dataset: str) -> bool:
    """Whether an earlier version of `pipeline.prepare` wrote the data set, in the order of its files."""
    recorded = provenance(data_dir, dataset)
    return bool(recorded) and "fingerprints" not in recorded


def check_order(data_dir: _Path, dataset: str) -> None:
    """Raise errors.BadArgumentError if `is_in_file_order`."""
    if is_in_file_order(data_dir, dataset):
        command = f"python -m pipeline.prepare --dataset={dataset} --data_dir={shlex.quote(str(data_dir))}"
        raise errors.BadArgumentError(
            f"data_dir={data_dir}: {dataset} was prepared by an earlier version, in the order of its files; expected "
            f"canonical order; run: {command}"
        )


@contextlib.contextmanager
def lock(data_dir: _Path) -> Iterator[None]:
    """Hold the lock of the writer; log a message before waiting for another writer."""
    path = root(data_dir)

    def announce() -> None:
        print(f"prepare: waiting for another process that prepares data in {path}", file=sys.stderr, flush=True)

    with contextlib.ExitStack() as stack:
        try:
            path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked_folder.locked(path, name=_LOCK, on_wait=announce))
        except OSError as error:
            raise errors.BadArgumentError(f"--data_dir={data_dir}: cannot be written ({error.strerror})") from error
        yield


@contextlib.contextmanager
def staging(data_dir: _Path) -> Iterator[pathlib.Path]:
    """A temporary folder in `data_dir`, thus on the same file system; requires `lock`."""
    for stale in root(data_dir).glob(f"{_STAGING}*"):
        shutil.rmtree(stale, ignore_errors=True)
    # A canceled download may write a file during the removal; the next writer removes the rest.
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=root(data_dir), ignore_cleanup_errors=True) as path:
        yield pathlib.Path(path)


def publish(staged: pathlib.Path, data_dir: _Path, dataset: str, provenance: Mapping[str, Any]) -> pathlib.Path:
    """Move a data set from a staging folder to its folder, which is returned, and write its provenance.

    One that `is_in_file_order` is replaced. Where TFDS wrote another version, or another folder exists,
    errors.FailedError is raised.
    """
    source, target = folder(staged, dataset), folder(data_dir, dataset)
    if not is_prepared(staged, dataset):
        raise errors.FailedError(f"{dataset}: TFDS did not write version {VERSIONS[dataset]}; expected {target.name}")
    files.write_json(source / PROVENANCE, {"dataset": dataset, **provenance}, indent=2)
    target.parent.mkdir(exist_ok=True)
    try:
        shutil.move(source, _new(target))  # the data set's folder may be a link to another disk
        if is_in_file_order(data_dir, dataset):
            target.rename(_replaced(target))
        _new(target).rename(target)
    except OSError as error:
        recover(data_dir, dataset)
        raise errors.FailedError(f"{target} cannot be replaced ({error.strerror}); move it and try again") from error
    shutil.rmtree(_replaced(target), ignore_errors=True)
    return target


def recover(data_dir: _Path, dataset: str) -> None:
    """Put back the data set that a killed or failed `publish` was about to replace; requires `lock`."""
    target = folder(data_dir, dataset)
    if _replaced(target).exists() and not target.exists():
        _replaced(target).rename(target)
    shutil.rmtree(_replaced(target), ignore_errors=True)
    shutil.rmtree(_new(target), ignore_errors=True)


def _new(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(f".{target.name}.new")


def _replaced(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(f".{target.name}.replaced")
