"""The readers of files that come from outside of the project, and valid inputs of each.

Files that the project has written itself are tried in tests/faults/bad_input; a space file of the tuner is a program of
the user's own.
"""

import abc
import bz2
import dataclasses
import gzip
import io
import json
import lzma
import os
import pathlib
import pickle
import random
import shutil
import tarfile
import zipfile
from typing import Any

import numpy as np

from models.config import saved
from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.datasets import labels
from pipeline.datasets.cifar import archive, records, unpickle
from tests.faults.fuzz.mutations import mutate
from tests.pipeline.datasets import archives, pickles

TINY = dataclasses.replace(archives.SMALL, train_per_class=1, mean_tolerance=1.0)
_NAMES = {"fine_label_names": list(labels.FINE_NAMES), "coarse_label_names": list(labels.COARSE_NAMES)}
_WRITERS = [("python 2", protocol) for protocol in range(3)] + [("numpy 2", protocol) for protocol in range(6)]


class Reader(abc.ABC):
    """A reader, its valid inputs, and the errors that it may raise."""

    errors: tuple[type[Exception], ...] = (errors.BadArgumentError,)

    def __init__(self, scratch: pathlib.Path) -> None:
        self.path = scratch / "input"
        self.seeds = self.make_seeds()

    @abc.abstractmethod
    def make_seeds(self) -> list[bytes]:
        """Inputs that are read without an error."""

    def draw(self, draw: random.Random) -> bytes:
        """An input, most often an invalid one."""
        return mutate(draw, draw.choice(self.seeds), self.seeds)

    def write(self, data: bytes, draw: random.Random) -> None:
        """Write what `read` reads."""
        self.path.write_bytes(data)

    @abc.abstractmethod
    def read(self, data: bytes) -> Any:
        """Read the input."""


class ArchiveReader(Reader):
    """Tar and ZIP archives of both forms."""

    def make_seeds(self) -> list[bytes]:
        both = [_binary_files(), _python_files("numpy 2", 2)]
        formats = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
        tars = [
            archives.tar_bytes(files, "f" * 120, tar_format=kind)
            for files, kind in zip(both * 2, formats, strict=False)
        ]
        small = archives.tar_bytes({"train": b"x", "meta": pickle.dumps(_NAMES)}, "f")  # whose packed bytes are few
        zips = [
            archives.zip_bytes(files, method) for files in both for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2)
        ]
        self._small = [pack(small) for pack in (gzip.compress, bz2.compress, lzma.compress)]
        return [*tars, *zips, gzip.compress(tars[0], 1), bz2.compress(tars[0], 1)]

    def draw(self, draw: random.Random) -> bytes:
        return mutate(draw, draw.choice((*self.seeds, *self._small)), self.seeds)

    def read(self, data: bytes) -> Any:
        return archive.read(self.path, TINY, source="archive=X")


class FolderReader(Reader):
    """Folders, with files that are damaged, missing, pipes, links and folders."""

    def make_seeds(self) -> list[bytes]:
        self._files = {**_binary_files(), **_python_files("python 2", 0), "._train": b"x"}
        return [b""]

    def draw(self, draw: random.Random) -> bytes:
        return draw.randbytes(8)

    def write(self, data: bytes, draw: random.Random) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        folder = self.path / draw.choice((".", "cifar-100-python", "a/b"))
        folder.mkdir(parents=True)
        contents = list(self._files.values())
        for name, content in self._files.items():
            kind = draw.random() if data else 1.0
            if kind < 0.03:
                os.mkfifo(folder / name)
            elif kind < 0.06:
                (folder / name).symlink_to(draw.choice((".", name, "/dev/zero", "test")))
            elif kind < 0.09:
                (folder / name).mkdir()
            elif kind > 0.15:
                (folder / name).write_bytes(mutate(draw, content, contents) if kind < 0.4 else content)

    def read(self, data: bytes) -> Any:
        return archive.read(self.path, TINY, source="archive=X")


class PickleReader(Reader):
    """Pickles of all writers and protocols."""

    errors = (pickle.UnpicklingError,)

    def make_seeds(self) -> list[bytes]:
        table = archives.rows("test")[:3]
        fields = archives.as_fields("test", table) | {"array": np.arange(3), "scalars": list(np.arange(3))}
        return [pickles.dump(fields | {"data": table[:, :9]}, protocol, writer=writer) for writer, protocol in _WRITERS]

    def read(self, data: bytes) -> Any:
        return unpickle.load(io.BytesIO(data), memory_limit=256 << 20)


class RecordsReader(Reader):
    """Records of both forms with fields of other kinds."""

    errors = (records.RecordsError,)

    def make_seeds(self) -> list[bytes]:
        return [_python_files("numpy 2", 5)["train"], _binary_files()["train.bin"]]

    def draw(self, draw: random.Random) -> bytes:
        if draw.random() < 0.3:
            return super().draw(draw)
        fields: dict[Any, Any] = archives.as_fields("train", _rows("train"))
        for _ in range(draw.choice((1, 2))):
            fields[draw.choice((*fields, "data", b"data", 1, "x"))] = draw.choice(_ODD_VALUES)
        return pickle.dumps(fields, draw.randrange(6))

    def read(self, data: bytes) -> Any:
        name = "train.bin" if data[:1] not in b"\x80}(" else "train"
        train = records.decode(name, io.BytesIO(data), TINY)
        return records.check(train, records.Records(_rows("test")), TINY)


class LabelsReader(Reader):
    """Files of label names, as text and as pickle."""

    errors = (records.RecordsError,)

    def make_seeds(self) -> list[bytes]:
        text = "".join(f"{name}\n" for name in labels.FINE_NAMES)
        texts = [text.encode(), text.encode("utf-16"), text.replace("\n", "\r\n").encode("utf-8-sig")]
        return texts + [pickles.dump(_NAMES, protocol, writer=writer) for writer, protocol in _WRITERS]

    def read(self, data: bytes) -> Any:
        name = "meta" if data[:1] in b"\x80}(" else "fine_label_names.txt"
        records.check_names(name, io.BytesIO(data), TINY)


class ConfigReader(Reader):
    """Configurations in JSON."""

    def make_seeds(self) -> list[bytes]:
        own = {"preset": "fast", "batch_size": 64, "learning_rate": 0.1, "augmentation": "flip_crop"}
        values = [{}, own, saved.document(DataConfig(), TrainConfig())]
        return [json.dumps(value).encode() for value in values]

    def draw(self, draw: random.Random) -> bytes:
        if draw.random() < 0.4:
            return super().draw(draw)
        values = json.loads(self.seeds[-1])
        for _ in range(draw.choice((1, 1, 2, 9))):
            values[draw.choice(list(values))] = draw.choice(_ODD_JSON)
        if draw.random() < 0.5:
            values.pop(draw.choice(list(values)))
        return json.dumps(values).replace('"deep"', "[" * 5000 + "]" * 5000).encode()

    def read(self, data: bytes) -> Any:
        return saved.configs(saved.load(self.path))


def _rows(split: str) -> np.ndarray:
    """One image of each class."""
    return archives.rows("test") if split == "test" else archives.rows("test")[::-1]


def _binary_files() -> dict[str, bytes]:
    return {**archives.binary_files(), "train.bin": _rows("train").tobytes(), "test.bin": _rows("test").tobytes()}


def _python_files(writer: str, protocol: int) -> dict[str, bytes]:
    splits = {split: archives.as_fields(split, _rows(split)) for split in ("train", "test")}
    return {name: pickles.dump(value, protocol, writer=writer) for name, value in {**splits, "meta": _NAMES}.items()}


_deep: list[Any] = []
for _ in range(300):
    _deep = [_deep]
_ODD_VALUES = (
    None,
    [],
    [None] * 100,
    [2**70] * 100,
    [-1] * 100,
    [0.5] * 100,
    [[1]] * 100,
    [True] * 100,
    "x" * 100_000,
    {"a": {}},
    _deep,
    np.zeros((100, 1), int),
    np.zeros(100),
    np.zeros(100, "U3"),
    np.array([None] * 100),
    np.zeros((100, 3072), np.int8),
    np.zeros((0, 3072), np.uint8),
    np.zeros((99, 3072), np.uint8),
    np.zeros((100, 32, 32, 3), np.uint8),
    np.zeros((), np.uint8),
)
_ODD_JSON = (
    None,
    True,
    -1,
    0,
    1e300,
    2**80,
    "",
    "x" * 9999,
    "a\nb",
    "~nobody",
    "\ud800",
    [],
    [[]],
    {},
    {"a": 1},
    "deep",
)
READERS: dict[str, type[Reader]] = {
    "archive": ArchiveReader,
    "folder": FolderReader,
    "pickle": PickleReader,
    "records": RecordsReader,
    "labels": LabelsReader,
    "config": ConfigReader,
}
