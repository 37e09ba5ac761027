"""Checks the files of a prepared data set, and names the one that is damaged.

dataset_info.json ─▶ features.json ─▶ *.labels.txt ─▶ sizes of the record files ─▶ records, as they are read
"""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.common import errors, files
from pipeline.common.json_values import OBJECT, required
from pipeline.datasets import prepared

_FRAME_BYTES = 16  # around each record of a TFRecord file: its length, and two checksums
_READ_ERRORS = ("DataLossError", "NotFoundError", "FailedPreconditionError", "InvalidArgumentError", "OutOfRangeError")
_LABEL = required({"classLabel": required({"numClasses": prepared.COUNT})})
_FEATURES = required(
    {"featuresDict": required({"features": required({"image": OBJECT, "label": _LABEL}, coarse_label=_LABEL)})}
)


def check(folder: pathlib.Path) -> None:
    """Check the files in the version folder of a data set, except for what its records hold; takes no time.

    Raises:
      errors.DamagedError: one is damaged, or of another version of the data set.
      errors.FailedError: one is missing, or cannot be read.
    """
    is_ours = (folder / prepared.PROVENANCE).exists()

    def check_version(info: Any) -> None:
        if info["version"] != folder.name:
            raise ValueError(f"it is of version {info['version']}; expected {folder.name}")

    info = _read(folder / "dataset_info.json", schema=prepared.INFO, check=check_version)
    features = _read(folder / "features.json", schema=_FEATURES)["featuresDict"]["features"]
    for name in [name for name in ("label", "coarse_label") if name in features]:
        path = folder / f"{name}.labels.txt"
        with files.reading(*prepared.where(path)):
            count = sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").split("\n"))
            expected = int(features[name]["classLabel"]["numClasses"])
            if count != expected:
                raise ValueError(f"it has {count} names; expected {expected}")
    for split in info["splits"] if is_ours else ():  # other writers may name and count otherwise
        _check_sizes(folder, split)


def _check_sizes(folder: pathlib.Path, split: Mapping[str, Any]) -> None:
    name, size = f"{folder.parent.name}-{split['name']}.tfrecord", 0
    count = len(split["shardLengths"])
    for place in range(count):
        path = folder / f"{name}-{place:05d}-of-{count:05d}"
        with files.reading(*prepared.where(path)):
            size += path.stat().st_size
            if not path.stat().st_size:
                raise ValueError("it is empty")
    expected = int(split["numBytes"]) + _FRAME_BYTES * sum(map(int, split["shardLengths"]))
    if size != expected:
        where = prepared.where(path if count == 1 else folder / name)
        raise files.damaged(*where, f"its files have {size} bytes; expected {expected}")


@contextlib.contextmanager
def reading(folder: pathlib.Path) -> Iterator[None]:
    """A context in which an error of reading a damaged record file becomes one line, which names the file."""
    try:
        yield
    except Exception as error:
        path = _damaged_records(folder) if type(error).__name__ in _READ_ERRORS else None
        if path is None:
            raise
        problem = "the checksum of a record is wrong, or its end is missing"
        raise files.damaged(*prepared.where(path), problem) from error


def _damaged_records(folder: pathlib.Path) -> pathlib.Path | None:
    """The first record file that cannot be read to its end."""
    import tensorflow as tf

    for path in sorted(folder.glob("*tfrecord*")):
        try:
            for _ in tf.data.TFRecordDataset(str(path)):
                pass
        except tf.errors.OpError:
            return path
    return None


def _read(path: pathlib.Path, **checks: Any) -> Any:
    where, remedy = prepared.where(path)
    value = files.read_json(path, where, remedy, **checks)
    if value is None:
        raise errors.FailedError(f"{where} is missing; {remedy}")
    return value
