"""Windows of whole pixels, which may lie partly outside of the image, for `Shift` and `Crop`."""

import tensorflow as tf


def window(images: tf.Tensor, top: tf.Tensor, left: tf.Tensor, size: tuple[int, int], reflect: bool) -> tf.Tensor:
    """The window of `size` (height, width) that begins at row `top[i]` and column `left[i]` of image i.

    Args:
      images: float32 [B, H, W, C].
      top: int32 [B], may be negative.
      left: int32 [B], may be negative.
      size: height and width of the window.
      reflect: whether pixels outside are the image mirrored without repeating its border; else they are black.

    Returns:
      float32 [B, height, width, C].
    """
    height, width = images.shape[1:3]
    rows = tf.range(size[0])[None, :] + top[:, None]
    columns = tf.range(size[1])[None, :] + left[:, None]
    taken = tf.gather(images, _inside(rows, height), axis=1, batch_dims=1)
    taken = tf.gather(taken, _inside(columns, width), axis=2, batch_dims=1)
    if reflect:
        return taken
    seen = (_inside(rows, height) == rows)[:, :, None] & (_inside(columns, width) == columns)[:, None, :]
    return tf.where(seen[..., None], taken, 0.0)


def _inside(index: tf.Tensor, size: int) -> tf.Tensor:
    """`index` mirrored into 0 to size - 1; it lies outside by less than `size`."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))
