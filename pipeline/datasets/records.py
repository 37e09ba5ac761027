"""The records of CIFAR-100: decoding and validation."""

import codecs
import dataclasses
import pickle
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from pipeline.datasets import canonical, labels, unpickle

PIXELS = 3 * 32 * 32
ROW_BYTES = 2 + PIXELS
# A pickled row in memory: its pixels, its file name, and two labels, as NumPy scalars of some 20 opcodes at most.
_MAX_PICKLED_ROW_BYTES = PIXELS + 64 * unpickle.OPCODE_BYTES
_MAX_NAMES_BYTES = 16 << 20  # of all that does not grow with the rows


class RecordsError(ValueError):
    """The data are not CIFAR-100: the value, and the value expected."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """The expected contents of a data set; tests use a small one."""

    train_per_class: int
    test_per_class: int
    channel_means: tuple[float, float, float]  # of the training images, red green blue, 0 to 1
    mean_tolerance: float
    sha256: dict[str, str]  # official file name -> checksum
    records_sha1: dict[str, str]  # split -> checksum of its rows, however they are packed

    def num_rows(self, split: str) -> int:
        """The number of images of a split."""
        return labels.NUM_FINE * (self.train_per_class if split == "train" else self.test_per_class)


OFFICIAL = Spec(
    train_per_class=500,
    test_per_class=100,
    channel_means=(0.5071, 0.4865, 0.4409),
    mean_tolerance=0.005,
    sha256={
        "cifar-100-binary.tar.gz": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        "cifar-100-python.tar.gz": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    },
    # As published with MXNet's reader of the binary form; they identify an extracted folder too.
    records_sha1={
        "train": "e207cd2e05b73b1393c74c7f5e7bea451d63e08e",
        "test": "8fb6623e830365ff53cf14adec797474f5478006",
    },
)


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """One split in the layout of the binary form: uint8 [N, 3074], coarse label, fine label, 32x32 red, green, blue."""

    rows: np.ndarray

    @property
    def coarse(self) -> np.ndarray:
        """uint8[N]."""
        return self.rows[:, 0]

    @property
    def fine(self) -> np.ndarray:
        """uint8[N]."""
        return self.rows[:, 1]

    @property
    def channels(self) -> np.ndarray:
        """uint8[N, 3, 1024]."""
        return self.rows[:, 2:].reshape(-1, 3, PIXELS // 3)

    def examples(self) -> Iterator[canonical.Example]:
        """The examples one by one."""
        for channels, fine, coarse in zip(self.channels, self.fine, self.coarse, strict=True):
            yield channels.reshape(3, 32, 32).transpose(1, 2, 0), int(fine), int(coarse)


def decode(file_name: str, file: IO[bytes], num_rows: int) -> Records:
    """The records of a `train.bin` or `test.bin`, or of a `train` or `test` pickle, else RecordsError.

    `num_rows` of them are expected; a pickle that takes much more memory is not read.
    """
    split, extension, _ = file_name.partition(".bin")
    try:
        return _from_binary(file, num_rows) if extension else _from_pickle(file, num_rows)
    except RecordsError as error:
        raise RecordsError(f"{split}: {error}") from error


def _from_binary(file: IO[bytes], num_rows: int) -> Records:
    data = file.read(num_rows * ROW_BYTES)
    if len(data) < num_rows * ROW_BYTES:
        raise RecordsError(f"{len(data):,} bytes; expected {num_rows * ROW_BYTES:,}")
    return Records(np.frombuffer(data, np.uint8).reshape(-1, ROW_BYTES))


def _from_pickle(file: IO[bytes], num_rows: int) -> Records:
    fields = _fields(file, num_rows * _MAX_PICKLED_ROW_BYTES)
    images = fields.get("data")
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (PIXELS,):
        raise RecordsError(f"'data' is {_kind(images)}; expected uint8[N, {PIXELS}]")
    if len(images) != num_rows:
        raise RecordsError(f"{len(images):,} records; expected {num_rows:,}")
    rows = np.empty((len(images), ROW_BYTES), np.uint8)
    for column, name in enumerate(("coarse_labels", "fine_labels")):
        rows[:, column] = _labels(fields, name, len(images))
    rows[:, 2:] = images
    return Records(rows)


def check_names(file_name: str, file: IO[bytes]) -> None:
    """Raise RecordsError unless a `{fine,coarse}_label_names.txt` or `meta` pickle has the official names in order."""
    is_pickle = file_name == "meta"
    fields = _fields(file) if is_pickle else {file_name.removesuffix(".txt"): _words(file.read())}
    for kind, official in (("fine", labels.FINE_NAMES), ("coarse", labels.COARSE_NAMES)):
        key = f"{kind}_label_names"
        if not is_pickle and key not in fields:
            continue
        names = fields.get(key)
        names = names.tolist() if isinstance(names, np.ndarray) else names
        if not isinstance(names, list | tuple) or not all(isinstance(name, bytes | str) for name in names):
            raise RecordsError(f"{file_name}: '{key}' is {_kind(names)}; expected a list of texts")
        if len(names) != len(official):
            raise RecordsError(f"{file_name}: {len(names)} {kind} label names; expected {len(official)}")
        for index, (name, expected) in enumerate(zip(map(_text, names), official, strict=True)):
            if name != expected:
                shown = f"{file_name}: {kind} label {index} is named {name[:40]!r}"
                raise RecordsError(f"{shown}; expected {expected!r}")


def check(train: Records, test: Records, spec: Spec) -> "Statistics":
    """The channel statistics of `train`; RecordsError for the first wrong label, class or color."""
    for split, records, per_class in (("train", train, spec.train_per_class), ("test", test, spec.test_per_class)):
        _check_labels(split, records)
        counts = np.bincount(records.fine, minlength=labels.NUM_FINE)
        for fine in np.flatnonzero(counts != per_class)[:1]:
            name = labels.FINE_NAMES[fine]
            raise RecordsError(f"{split} has {counts[fine]} images of class {name!r}; expected {per_class}")
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


def _check_labels(split: str, records: Records) -> None:
    for kind, values, limit in (("fine", records.fine, labels.NUM_FINE), ("coarse", records.coarse, labels.NUM_COARSE)):
        for index in np.flatnonzero(values >= limit)[:1]:
            raise RecordsError(f"record {index} of {split} has {kind} label {values[index]}; expected 0 to {limit - 1}")
    expected = np.array(labels.FINE_TO_COARSE, np.uint8)[records.fine]
    for index in np.flatnonzero(records.coarse != expected)[:1]:
        fine, coarse, right = (int(values[index]) for values in (records.fine, records.coarse, expected))
        raise RecordsError(
            f"record {index} of {split} has fine label {fine} ({labels.FINE_NAMES[fine]}) with coarse label {coarse} "
            f"({labels.COARSE_NAMES[coarse]}); expected {right} ({labels.COARSE_NAMES[right]})"
        )


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


def _labels(fields: dict[str, Any], name: str, num_rows: int) -> np.ndarray:
    """The labels of a field, uint8[N]."""
    field = fields.get(name)
    if field is None:
        raise RecordsError(f"'{name}' is missing")
    is_list = isinstance(field, list | tuple) and all(isinstance(value, int) for value in field)
    values = np.asarray(field) if is_list or isinstance(field, np.ndarray) else np.empty(0)
    if values.shape == (num_rows, 1):
        values = values[:, 0]
    if values.shape != (num_rows,) or values.dtype.kind not in "iu":
        raise RecordsError(f"'{name}' must be a list of {num_rows} integers; found {_kind(field)}")
    for index in np.flatnonzero((values < 0) | (values > 255))[:1]:
        raise RecordsError(f"record {index} has {values[index]} in '{name}'; expected 0 to 99")
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
