"""Where data enter: a prepared TFDS data set becomes a stream of examples.

An example is `{"image": string [] (a PNG), "fine": int32 [], "coarse": int32 []}`, in an order that never changes; the
stage `Decode` makes the image uint8 [32, 32, 3], behind the split, so that nobody decodes what the split leaves out.
"""

from typing import TypeAlias

import tensorflow as tf
import tensorflow_datasets as tfds

from pipeline import errors, prepared
from pipeline.data_config import SourceConfig

Builder: TypeAlias = tfds.core.DatasetBuilder


def open_builder(config: SourceConfig) -> Builder:
    """The TFDS builder of a data set that `pipeline.prepare` has prepared; reads no network.

    Raises:
      errors.FailedError: the data set is not prepared in `config.data_dir`.
    """
    if not prepared.is_prepared(config.data_dir, config.dataset):
        raise errors.FailedError(
            f"{config.dataset} is not prepared in {config.data_dir}; "
            f"run: python -m pipeline.prepare --dataset={config.dataset} --data_dir={config.data_dir}"
        )
    return tfds.builder_from_directory(prepared.folder(config.data_dir, config.dataset))


def num_examples(builder: Builder, split: str) -> int:
    """Examples in the official `split`, "train" or "test"."""
    return builder.info.splits[split].num_examples


def read(builder: Builder, split: str) -> tf.data.Dataset:
    """Stream the official `split`, "train" or "test", images still encoded, in the fixed order of the files."""
    config = tfds.ReadConfig(
        try_autocache=False,  # caching is a visible stage of ours
        skip_prefetch=True,
        shuffle_seed=None,
        interleave_cycle_length=1,
        add_tfds_id=False,
    )
    encoded = {"image": tfds.decode.SkipDecoding()}
    dataset = builder.as_dataset(split=split, shuffle_files=False, read_config=config, decoders=encoded)
    return dataset.map(_rename)


def _rename(record: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {
        "image": record["image"],
        "fine": tf.cast(record["label"], tf.int32),
        "coarse": tf.cast(record["coarse_label"], tf.int32),
    }
