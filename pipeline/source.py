"""Reads a prepared TFDS data set as a stream of chunks.

A chunk holds some examples, `{"image": string [C] (PNGs), "fine": int32 [C], "coarse": int32 [C]}`, in a fixed order:
tf.data takes longer to call a function than most functions take for one example. "coarse" is missing where the data set
has one level of labels. The stage `Decode` makes the images uint8 [C, S, S, 3], after the split, so that only selected
examples are decoded.
"""

import os
from typing import TypeAlias

import tensorflow as tf
import tensorflow_datasets as tfds

from pipeline.common import errors, files
from pipeline.data_config import SourceConfig
from pipeline.datasets import integrity, prepared

LABELS = {"label": "fine", "coarse_label": "coarse"}  # by the name of the feature
CHUNK = 64  # examples; decoded, they fit into a processor's cache
READ_BYTES = 1 << 20  # about 300 examples a system call

Builder: TypeAlias = tfds.core.DatasetBuilder


def open_builder(config: SourceConfig) -> Builder:
    """The TFDS builder of a data set; errors as `prepared.check_prepared`, FailedError for a damaged file."""
    prepared.check_prepared(config.data_dir, config.prepared_name)
    folder = prepared.folder(config.data_dir, config.prepared_name)
    integrity.check(folder)
    try:
        with files.decoding():
            return tfds.builder_from_directory(folder)
    except ValueError as error:
        where = prepared.where(folder / "dataset_info.json")
        raise files.damaged(*where, f"TFDS cannot read it: {error}") from error


def num_examples(builder: Builder, split: str) -> int:
    """Examples in an official split, "train", "test" or "validation"; 0 where the data set has no such split."""
    return builder.info.splits[split].num_examples if split in builder.info.splits else 0


def read(builder: Builder, split: str) -> tf.data.Dataset:
    """The chunks of an official split, images still encoded, in the order of the files.

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
    labels = {name: level for name, level in LABELS.items() if name in stored}
    columns = ("image", *labels)
    layout = {name: tf.io.FixedLenFeature(stored[name].shape, stored[name].tf_dtype) for name in columns}
    paths = [os.fspath(path) for path in info.splits[split].filepaths]
    records = tf.data.TFRecordDataset(paths, buffer_size=READ_BYTES)
    records = records.apply(tf.data.experimental.assert_cardinality(num_examples(builder, split)))

    def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, layout)
        return {"image": parsed["image"]} | {level: tf.cast(parsed[name], tf.int32) for name, level in labels.items()}

    return records.batch(CHUNK).map(parse)
