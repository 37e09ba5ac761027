"""The second pass: writes the images of the part files, in canonical order, as a version folder that TFDS reads."""

import math
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.common import app, progress
from pipeline.datasets import canonical, png
from pipeline.datasets.conversion.arrangement import SPLITS, Arrangement
from pipeline.datasets.conversion.channel_histogram import ChannelHistogram
from pipeline.datasets.description import Classes

SHARD_BYTES = 128 << 20  # of pixels; those of one shard are in memory


def write(arrangement: Arrangement, classes: Classes, folder: pathlib.Path, about: str) -> ChannelHistogram:
    """Write the files of TFDS to a version folder, `.../NAME/VERSION`; `about` describes the data set.

    Returns:
      The channel histogram of "train".
    """
    app.load_tensorflow()
    import tensorflow_datasets as tfds

    size, name = arrangement.folder.image_size, folder.parent.name
    names = {"label": classes.fine, **({"coarse_label": classes.coarse} if classes.coarse else {})}
    features = tfds.features.FeaturesDict(
        {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=(size, size, 3)),
            **{key: tfds.features.ClassLabel(names=names[key]) for key in names},
        }
    )
    serializer = tfds.core.ExampleSerializer(features.get_serialized_info())

    def serialize(example: dict[str, Any]) -> bytes:
        """The record of an example; deterministic, for by default the order of the features differs by process."""
        return serializer.get_tf_example(features.encode_example(example)).SerializeToString(deterministic=True)

    histogram, infos = ChannelHistogram(), []
    folder.mkdir(parents=True)
    with progress.task(f"writing {name}", len(arrangement.digests), "images") as task:
        for split in SPLITS:
            lengths, num_bytes = [], 0
            for path, images, examples in _shards(arrangement, split, folder, names):
                if split == "train":
                    histogram.add(images)
                num_bytes += _write_shard(path, map(serialize, examples))
                lengths.append(len(images))
                task.advance(len(images))
            if lengths:
                infos.append(tfds.core.SplitInfo(name=split, shard_lengths=lengths, num_bytes=num_bytes))
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=infos,
        description=about,
        supervised_keys=("image", "label"),
        disable_shuffling=True,  # the order is canonical
        check_data=False,
    )
    return histogram


def _shards(
    arrangement: Arrangement, split: str, folder: pathlib.Path, names: Mapping[str, Any]
) -> Iterator[tuple[pathlib.Path, np.ndarray, Iterator[dict[str, Any]]]]:
    """The shards of a split: path, images uint8 [N, S, S, 3], and examples, with the features in `names` for labels."""
    order = arrangement.order(split)
    records = arrangement.digests.take(order)
    numbers = _numbers_of_equals(records)
    num_shards = math.ceil(len(order) * 3 * arrangement.folder.image_size**2 / SHARD_BYTES)
    for number, rows in enumerate(np.array_split(np.arange(len(order)), num_shards) if num_shards else []):
        images = arrangement.images(order[rows])
        path = folder / f"{folder.parent.name}-{split}.tfrecord-{number:05d}-of-{num_shards:05d}"
        yield path, images, _examples(split, images, records.take(rows), numbers[rows], names)


def _examples(
    split: str, images: np.ndarray, records: canonical.Digests, numbers: np.ndarray, names: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The examples of a shard, as TFDS serializes them, with the features in `names` for labels."""
    labels = {"label": records.fine.tolist(), "coarse_label": records.coarse.tolist()}
    for place, (image, pixels, number) in enumerate(zip(images, records.pixels, numbers.tolist(), strict=True)):
        fields = {key: labels[key][place] for key in names}
        example_id = canonical.record_id(split, pixels.tobytes(), labels["label"][place], number)
        yield {"id": example_id, "image": png.encode(image), **fields}


def _write_shard(path: pathlib.Path, serialized: Iterable[bytes]) -> int:
    """Write the records of a shard; their number of bytes."""
    import tensorflow as tf

    num_bytes = 0
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in serialized:
            writer.write(record)
            num_bytes += len(record)
    return num_bytes


def _numbers_of_equals(records: canonical.Digests) -> np.ndarray:
    """How many equal records come right before each one, int64 [N]."""
    rows, places = records.rows(), np.arange(len(records))
    is_first = np.concatenate([[True], rows[1:] != rows[:-1]])[: len(rows)]
    return places - np.maximum.accumulate(np.where(is_first, places, 0))
