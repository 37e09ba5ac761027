"""Reads CIFAR-100 or CIFAR-10 from the Parquet files of Hugging Face: uoft-cs/cifar100 and uoft-cs/cifar10.

A row has a struct `img` with the `bytes` of a PNG, and the labels `fine_label` and `coarse_label`, or `label`.
"""

import collections
import io
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import PIL.Image

from pipeline.common import files, progress
from pipeline.datasets.cifar import records
from pipeline.datasets.cifar.spec import PIXELS, SPECS, Spec
from pipeline.datasets.containers.member import ContainerError

FORM = "parquet"
_SUFFIX = ".parquet"
_IMAGE = "img"
_BATCH = 1000  # rows that are read at once
INCOMPLETE = "it has Parquet files, but no train-*.parquet and test-*.parquet in one folder"
Splits = dict[str, list[pathlib.PurePosixPath]]


def is_parquet(path: pathlib.PurePath) -> bool:
    """Whether a file is one of Parquet's, by its name."""
    return path.suffix == _SUFFIX


def find(paths: Iterable[pathlib.PurePosixPath]) -> Splits:
    """The Parquet files of each split among the paths in a folder; {} where there are not two splits.

    They are named `train-00000-of-00001.parquet`, or `train/0000.parquet` in the branch refs/convert/parquet.
    ContainerError if there are several data sets.
    """
    data_sets: dict[pathlib.PurePosixPath, Splits] = collections.defaultdict(dict)
    for path in sorted(filter(is_parquet, paths)):
        named = re.match(r"(train|test)[-.]", path.name)
        folder, split = (path.parent, named[1]) if named else (path.parent.parent, path.parent.name)
        data_sets[folder].setdefault(split, []).append(path)
    complete = {folder: splits for folder, splits in data_sets.items() if {"train", "test"} <= splits.keys()}
    if len(complete) > 1:
        shown = " and ".join(f"'{folder}'" for folder in [*complete][:2])
        raise ContainerError(f"has Parquet files of several data sets, in {shown}: pass one of the folders")
    return next(iter(complete.values()), {})


def read(folder: pathlib.Path, splits: Splits, spec: Spec) -> tuple[records.Records, records.Records]:
    """The records of train and test in Parquet files, whose paths are relative to `folder`.

    Raises:
      ContainerError: there are none, or one is damaged, or pyarrow is missing.
      records.RecordsError: they hold something else.
    """
    if not splits:
        raise ContainerError(INCOMPLETE)
    train, test = (_read_split(name, [folder / path for path in splits[name]], spec) for name in ("train", "test"))
    return train, test


def _read_split(split: str, paths: list[pathlib.Path], spec: Spec) -> records.Records:
    pyarrow = _import()
    try:
        tables = [pyarrow.parquet.ParquetFile(path) for path in paths]
        for table in tables:
            _check_columns(table.schema_arrow, spec)
        count = sum(table.metadata.num_rows for table in tables)
        if count != spec.num_records(split):  # before they take memory
            raise records.RecordsError(f"{split} has {count} records; expected {spec.num_records(split)}")
        return _records(split, tables, count, spec)
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk
            raise
        problem, _, _ = str(error).partition("\n")
        raise ContainerError(f"{paths[0].name} is truncated or damaged ({problem})") from error


def _import() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        problem = "Parquet files are read by pyarrow, which is not installed"
        raise ContainerError(f"{problem}; run: python -m pip install -e '.[parquet]'") from error
    return pyarrow


def _columns(spec: Spec) -> list[str]:
    return [_IMAGE, *(spec.field(level, "label") for level in spec.levels)]


def _check_columns(schema: Any, spec: Spec) -> None:
    missing = [name for name in _columns(spec) if name not in schema.names]
    others = [other for other in SPECS.values() if set(_columns(other)) <= set(schema.names)]
    if missing and others:
        raise ContainerError(f"not {spec.title}: it is {others[0].title} (--dataset={others[0].name})")
    if missing:
        names = ", ".join(map(repr, schema.names[:9]))
        raise records.RecordsError(f"the column {missing[0]!r} is missing; found {names}")
    kind = schema.field(_IMAGE).type
    if "bytes" not in [kind.field(index).name for index in range(kind.num_fields)]:
        raise records.RecordsError(f"the column {_IMAGE!r} is {kind}; expected a struct with bytes")


def _records(split: str, tables: list[Any], count: int, spec: Spec) -> records.Records:
    names = [spec.field(level, "label") for level in spec.levels]
    labels = {
        name: [label for table in tables for label in table.read([name]).column(name).to_pylist()] for name in names
    }
    images = np.empty((count, PIXELS), np.uint8)
    pngs = progress.track(_pngs(tables), f"decoding the images of {split}", count, "images")
    for index, png in zip(range(count), pngs, strict=True):
        images[index] = _pixels(png, f"image {index} of {split}")
    try:
        return records.joined(images, labels, spec, "label")
    except records.RecordsError as error:
        raise records.RecordsError(f"{split}: {error}") from error


def _pngs(tables: list[Any]) -> Iterator[bytes]:
    """The images, encoded."""
    for table in tables:
        for batch in table.iter_batches(_BATCH, columns=[_IMAGE]):
            yield from batch.column(_IMAGE).field("bytes").to_pylist()


def _pixels(png: bytes, name: str) -> np.ndarray:
    """The pixels of an image, uint8 [3072]: red, green, blue."""
    try:
        with files.decoding(), PIL.Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if (image.mode, image.size) != ("RGB", (32, 32)):
                width, height = image.size
                raise records.RecordsError(f"{name} is {image.mode} of {width} x {height}; expected RGB of 32 x 32")
            return np.asarray(image).transpose(2, 0, 1).reshape(-1)
    except records.RecordsError:
        raise
    except ValueError as error:
        raise records.RecordsError(f"{name} is no PNG, or a damaged one ({error})") from error
