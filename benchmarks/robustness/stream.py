"""Corrupted images on the stream of a split: made batch by batch while the device computes, never stored."""

import numpy as np
import tensorflow as tf

from benchmarks.robustness.corruptions import corrupt

SEED = 0  # of all draws, so that every model sees the same images
AHEAD = 2  # batches that are made while the device computes


def limited(stream: tf.data.Dataset, num_images: int, batch_size: int) -> tf.data.Dataset:
    """The first images of a stream of padded batches (`OpenedData.evaluation`): the mask of the others is False."""
    places = tf.range(batch_size, dtype=tf.int64)

    def masked(number: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {**batch, "mask": batch["mask"] & (number * batch_size + places < num_images)}

    return stream.take(-(-num_images // batch_size)).enumerate().map(masked)


def corrupted(stream: tf.data.Dataset, name: str, severity: int) -> tf.data.Dataset:
    """A stream of padded batches with every image corrupted, which its place in the stream seeds; padding stays."""

    def corrupt_batch(number: np.int64, images: np.ndarray, mask: np.ndarray) -> np.ndarray:
        made = images.copy()
        for place in np.flatnonzero(mask):
            made[place] = corrupt(images[place], name, severity, SEED, int(number) * len(images) + int(place))
        return made

    def mapped(number: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        images = tf.numpy_function(corrupt_batch, [number, batch["image"], batch["mask"]], tf.uint8, stateful=False)
        return {**batch, "image": tf.ensure_shape(images, batch["image"].shape)}

    return stream.enumerate().map(mapped).prefetch(AHEAD)
