"""Small Parquet files of CIFAR-100 and CIFAR-10, as Hugging Face has them."""

import io
import pathlib
from collections.abc import Mapping

import numpy as np
import PIL.Image
import pyarrow
import pyarrow.parquet

from pipeline.datasets.cifar.spec import Spec
from tests.pipeline.datasets import archives


def png(image: np.ndarray, image_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, image_format)
    return file.getvalue()


def columns(rows: np.ndarray, spec: Spec) -> dict[str, list]:
    """What a file holds for records of the binary form."""
    images = [{"bytes": png(archives.pixels(row)), "path": None} for row in rows]
    return {"img": images, **{spec.field(level, "label"): rows[:, i].tolist() for i, level in enumerate(spec.levels)}}


def write(path: pathlib.Path, values: Mapping[str, list]) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(dict(values)), path, row_group_size=100)
    return path


def write_splits(folder: pathlib.Path, spec: Spec, names: str = "{}-00000-of-00001.parquet", **changes: list) -> None:
    """Write both splits; `changes` replace columns of train."""
    for split in ("train", "test"):
        values = columns(archives.rows(split, spec), spec)
        write(folder / names.format(split), {**values, **changes} if split == "train" else values)
