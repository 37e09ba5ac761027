"""The records of CIFAR-100 and CIFAR-10: decoding and validation."""

import codecs
import dataclasses
import pickle
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from pipeline.datasets import canonical
from pipeline.datasets.cifar import unpickle
from pipeline.datasets.cifar.spec import PIXELS, Spec
from pipeline.datasets.description import LEVELS, Classes

# A pickled record in memory: its pixels, its file name, and two labels, as NumPy scalars of some 20 opcodes at most.
_MAX_PICKLED_BYTES = PIXELS + 64 * unpickle.OPCODE_BYTES
_MAX_NAMES_BYTES = 16 << 20  # of all that does not grow with the records


class RecordsError(ValueError):
    """The data are not those of the specification: the value, and the value expected."""


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """Records in the layout of the binary form.

    A row of uint8 [N, 3074] is a coarse label, a fine label, and 32x32 red, green, blue. A data set with one level of
    labels has rows of 3073 bytes.
    """

    rows: np.ndarray

    @property
    def labels(self) -> dict[str, np.ndarray]:
        """uint8[N] of each level."""
        levels = LEVELS[: self.rows.shape[1] - PIXELS]
        return {level: self.rows[:, column] for column, level in enumerate(levels[::-1])}

    @property
    def channels(self) -> np.ndarray:
        """uint8[N, 3, 1024]."""
        return self.rows[:, -PIXELS:].reshape(-1, 3, PIXELS // 3)

    def examples(self) -> Iterator[canonical.Example]:
        """The examples one by one."""
        labels = self.labels
        coarse_labels = labels.get("coarse", np.zeros(len(self.rows), np.uint8))
        for channels, fine, coarse in zip(self.channels, labels["fine"], coarse_labels, strict=True):
            yield channels.reshape(3, 32, 32).transpose(1, 2, 0), int(fine), int(coarse)


def decode(file_name: str, file: IO[bytes], spec: Spec) -> Records:
    """The records of a file of one of the official forms, else RecordsError.

    A pickle that takes much more memory than its records is not read.
    """
    read = _from_pickle if spec.form_of(file_name).is_pickled else _from_binary
    try:
        return read(file, spec.num_records_in(file_name), spec)
    except RecordsError as error:
        raise RecordsError(f"{file_name.removesuffix('.bin')}: {error}") from error


def _from_binary(file: IO[bytes], count: int, spec: Spec) -> Records:
    data = file.read(count * spec.record_bytes)
    if len(data) < count * spec.record_bytes:
        raise RecordsError(f"{len(data):,} bytes; expected {count * spec.record_bytes:,}")
    return Records(np.frombuffer(data, np.uint8).reshape(-1, spec.record_bytes))


def _from_pickle(file: IO[bytes], count: int, spec: Spec) -> Records:
    fields = _fields(file, count * _MAX_PICKLED_BYTES)
    images = fields.get("data")
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (PIXELS,):
        raise RecordsError(f"'data' is {_kind(images)}; expected uint8[N, {PIXELS}]")
    if len(images) != count:
        raise RecordsError(f"{len(images):,} records; expected {count:,}")
    return joined(images, fields, spec, "labels")


def joined(images: np.ndarray, fields: Mapping[str, Any], spec: Spec, what: str) -> Records:
    """The records of `images`, uint8 [N, 3072], and of the labels in the field `what` of each level."""
    rows = np.empty((len(images), spec.record_bytes), np.uint8)
    for column, level in enumerate(spec.levels):
        num_classes = len(spec.classes.names[level])
        rows[:, column] = _labels(fields, spec.field(level, what), len(images), num_classes)
    rows[:, -PIXELS:] = images
    return Records(rows)


def check_names(file_name: str, file: IO[bytes], spec: Spec) -> None:
    """Raise RecordsError unless a file of label names, a text or a pickle, has the official ones in their order."""
    form = spec.form_of(file_name)
    fields = _fields(file) if form.is_pickled else {}
    for level in form.label_names[file_name]:
        key, official = spec.field(level, "label_names"), spec.classes.names[level]
        names = fields.get(key) if form.is_pickled else _words(file.read())
        names = names.tolist() if isinstance(names, np.ndarray) else names
        if not isinstance(names, list | tuple) or not all(isinstance(name, bytes | str) for name in names):
            raise RecordsError(f"{file_name}: '{key}' is {_kind(names)}; expected a list of texts")
        kind = spec.field(level, "label").replace("_", " ")
        if len(names) != len(official):
            raise RecordsError(f"{file_name}: {len(names)} {kind} names; expected {len(official)}")
        for index, (name, expected) in enumerate(zip(map(_text, names), official, strict=True)):
            if name != expected:
                raise RecordsError(f"{file_name}: {kind} {index} is named {name[:40]!r}; expected {expected!r}")


def check(train: Records, test: Records, spec: Spec) -> "Statistics":
    """The channel statistics of `train`; RecordsError for the first wrong count, label, class or color."""
    for split, records, per_class in (("train", train, spec.train_per_class), ("test", test, spec.test_per_class)):
        if len(records.rows) != spec.num_records(split):
            raise RecordsError(f"{split} has {len(records.rows)} records; expected {spec.num_records(split)}")
        _check_labels(split, records, spec)
        names = spec.classes.fine
        counts = np.bincount(records.labels["fine"], minlength=len(names))
        fewest = np.argmin(counts)
        if counts[fewest] != per_class:
            raise RecordsError(f"{split} has {counts[fewest]} images of class {names[fewest]!r}; expected {per_class}")
    statistics = channel_statistics(train)
    if any(abs(a - b) > spec.mean_tolerance for a, b in zip(statistics.means, spec.channel_means, strict=True)):
        means, expected = (" ".join(f"{mean:.4f}" for mean in each) for each in (statistics.means, spec.channel_means))
        raise RecordsError(f"channel means of train are {means}; expected {expected} within {spec.mean_tolerance}")
    return statistics


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Means and standard deviations of red, green and blue, 0 to 1."""

    means: tuple[float, float, float]
    deviations: tuple[float, float, float]


def channel_statistics(records: Records) -> Statistics:
    """The channel statistics of a split, from exact integer sums."""
    total, squares = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for start in range(0, len(records.rows), 1000):  # slices: the int32 copy of all would take gigabytes
        values = records.channels[start : start + 1000].astype(np.int32)
        total += values.sum(axis=(0, 2), dtype=np.int64)
        squares += np.square(values).sum(axis=(0, 2), dtype=np.int64)
    count = len(records.rows) * PIXELS // 3
    means = total / count
    deviations = np.sqrt(squares / count - means**2)
    return Statistics(means=tuple((means / 255).tolist()), deviations=tuple((deviations / 255).tolist()))


def _check_labels(split: str, records: Records, spec: Spec) -> None:
    classes, labels = spec.classes, records.labels
    if classes.coarse and _are_swapped(labels["fine"], labels["coarse"], classes):
        raise RecordsError(f"the fine and the coarse labels of {split} are swapped")
    for level, names in classes.names.items():
        for index in np.flatnonzero(labels[level] >= len(names))[:1]:
            kind = spec.field(level, "label").replace("_", " ")
            raise RecordsError(
                f"record {index} of {split} has {kind} {labels[level][index]}; expected 0 to {len(names) - 1}"
            )
    if not classes.coarse:
        return
    expected = np.array(classes.fine_to_coarse, np.uint8)[labels["fine"]]
    for index in np.flatnonzero(labels["coarse"] != expected)[:1]:
        fine, coarse, right = (int(values[index]) for values in (labels["fine"], labels["coarse"], expected))
        raise RecordsError(
            f"record {index} of {split} has fine label {fine} ({classes.fine[fine]}) with coarse label {coarse} "
            f"({classes.coarse[coarse]}); expected {right} ({classes.coarse[right]})"
        )


def _are_swapped(fine: np.ndarray, coarse: np.ndarray, classes: Classes) -> bool:
    is_in_range = fine.max() < len(classes.coarse) and coarse.max() < len(classes.fine)
    return bool(is_in_range and np.array_equal(np.array(classes.fine_to_coarse)[coarse], fine))


def _fields(file: IO[bytes], memory_limit: int = 0) -> dict[str, Any]:
    try:
        value = unpickle.load(file, memory_limit=memory_limit + _MAX_NAMES_BYTES)
    except pickle.UnpicklingError as error:
        raise RecordsError(f"the pickle {error}") from error
    if not isinstance(value, dict):
        raise RecordsError(f"the pickle holds {_kind(value)}; expected a dictionary")
    fields = {_text(key): item for key, item in value.items()}
    if len(fields) < len(value):
        raise RecordsError("the pickle holds a field twice")
    return fields


def _labels(fields: Mapping[str, Any], name: str, num_records: int, num_classes: int) -> np.ndarray:
    """The labels of a field, uint8[N]."""
    field = fields.get(name)
    if field is None:
        names = ", ".join(repr(key[:20]) for key in sorted(fields)[:9])
        raise RecordsError(f"'{name}' is missing; found {names}")
    is_list = isinstance(field, list | tuple) and all(isinstance(value, int) for value in field)
    values = np.asarray(field) if is_list or isinstance(field, np.ndarray) else np.empty(0)
    if values.shape == (num_records, 1):
        values = values[:, 0]
    if values.shape != (num_records,) or values.dtype.kind not in "iu":
        raise RecordsError(f"'{name}' must be a list of {num_records} integers; found {_kind(field)}")
    for index in np.flatnonzero((values < 0) | (values > 255))[:1]:
        raise RecordsError(f"record {index} has {values[index]} in '{name}'; expected 0 to {num_classes - 1}")
    return values.astype(np.uint8)


def _kind(value: Any) -> str:
    """A short description of a value's type."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, list | tuple) else type(value).__name__


def _words(data: bytes) -> list[str]:
    """The names on the lines of a text file, as any editor writes it."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    return data.decode(encoding, errors="replace").rstrip("\x1a").split()  # which ends files of DOS


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
