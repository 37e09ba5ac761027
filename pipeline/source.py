"""Reads a prepared TFDS data set as a stream of chunks.

A chunk holds some examples, `{"image": string [C] (PNGs), "fine": int32 [C], "coarse": int32 [C]}`, in a fixed order:
tf.data takes longer to call a function than most functions take for one example. The stage `Decode` makes the images
uint8 [C, 32, 32, 3], after the split, so that only selected examples are decoded.
"""

import os
from typing import TypeAlias

import tensorflow as tf
import tensorflow_datasets as tfds

from pipeline.common import errors, files
from pipeline.data_config import SourceConfig
from pipeline.datasets import integrity, prepared

COLUMNS = ("image", "label", "coarse_label")
CHUNK = 64  # examples; decoded, they fit into a processor's cache
READ_BYTES = 1 << 20  # about 300 examples a system call

Builder: TypeAlias = tfds.core.DatasetBuilder


def open_builder(config: SourceConfig) -> Builder:
    """The TFDS builder of a data set; errors as `prepared.check_prepared`, FailedError for a damaged file."""
    prepared.check_prepared(config.data_dir, config.dataset)
    folder = prepared.folder(config.data_dir, config.dataset)
    integrity.check(folder)
    try:
        return tfds.builder_from_directory(folder)
    except Exception as error:  # TFDS and Protocol Buffers raise errors of many kinds
        where = prepared.where(folder / "dataset_info.json")
        raise files.damaged(*where, f"TFDS cannot read it: {error}") from error


def num_examples(builder: Builder, split: str) -> int:
    """Examples in the official `split`, "train" or "test"."""
    return builder.info.splits[split].num_examples


def read(builder: Builder, split: str) -> tf.data.Dataset:
    """The chunks of the official `split`, "train" or "test", images still encoded, in the order of the files.

    The files are TFDS's; its reader, which parses examples one by one, is not used. Where they hold another number of
    examples than the builder declares, reading ends with tf.errors.FailedPreconditionError; files that are not
    TFRecords raise errors.FailedError.
    """
    info, usual = builder.info, tfds.core.FileFormat.TFRECORD
    if info.file_format != usual:
        raise errors.FailedError(
            f"{builder.data_path} holds {info.file_format.value} files; expected {usual.value}: prepare into another "
            "--data_dir with python -m pipeline.prepare"
        )
    stored = info.features.get_serialized_info()
    layout = {name: tf.io.FixedLenFeature(stored[name].shape, stored[name].tf_dtype) for name in COLUMNS}
    paths = [os.fspath(path) for path in info.splits[split].filepaths]
    records = tf.data.TFRecordDataset(paths, buffer_size=READ_BYTES)
    records = records.apply(tf.data.experimental.assert_cardinality(num_examples(builder, split)))

    def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = tf.io.parse_example(serialized, layout)
        fine, coarse = tf.cast(columns["label"], tf.int32), tf.cast(columns["coarse_label"], tf.int32)
        return {"image": columns["image"], "fine": fine, "coarse": coarse}

    return records.batch(CHUNK).map(parse)
