"""Filled boxes, for cutout and random erasing."""

import tensorflow as tf


def paint(images: tf.Tensor, low: tf.Tensor, high: tf.Tensor, fill_value: float) -> tf.Tensor:
    """Fill a box of each image with one value.

    Args:
      images: float32 [B, H, W, C].
      low: float32 [B, 2], the box's first row and column, whole numbers; may lie outside of the image.
      high: float32 [B, 2], the row and column after its last ones.
      fill_value: the value.
    """
    height, width = images.shape[1:3]
    rows = tf.range(height, dtype=tf.float32)[None, :]
    columns = tf.range(width, dtype=tf.float32)[None, :]
    in_rows = (rows >= low[:, :1]) & (rows < high[:, :1])
    in_columns = (columns >= low[:, 1:]) & (columns < high[:, 1:])
    return tf.where((in_rows[:, :, None] & in_columns[:, None, :])[..., None], fill_value, images)
