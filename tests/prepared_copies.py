"""Copies of a prepared data set: the same records in another order, or other records."""

import pathlib
import shutil

import tensorflow as tf

from pipeline.datasets import prepared


def _rewritten(data_dir: str, to: pathlib.Path, change) -> str:
    shutil.copytree(data_dir, to)
    folder = prepared.folder(to, "shapes100_tiny")
    shutil.rmtree(folder / "cache")
    (folder / prepared.PROVENANCE).unlink()  # as TFDS itself leaves a folder
    (file,) = folder.glob("*-train.tfrecord*")
    records = change(list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator()))
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record)
    return str(to)


def reordered(tiny_data_dir: str, to: pathlib.Path) -> str:
    """A data folder with shapes100_tiny's records, the training records in another order."""
    return _rewritten(tiny_data_dir, to, lambda records: records[::-1])


def with_other_records(tiny_data_dir: str, to: pathlib.Path) -> str:
    """A data folder like shapes100_tiny's with one training record twice, in the place of another one."""
    return _rewritten(tiny_data_dir, to, lambda records: [*records[:-1], records[0]])
