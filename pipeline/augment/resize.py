"""Resizing with static shapes."""

import numpy as np
import tensorflow as tf


def resize(images: tf.Tensor, size: int) -> tf.Tensor:
    """float32 [B, H, W, C] -> [B, size, size, C], bilinear with antialiasing, as `tf.image.resize` does it.

    The weights are constants of the graph, so XLA compiles a few weighted gathers.
    """
    for axis in (1, 2):
        if images.shape[axis] != size:
            images = _resized(images, size, axis)
    return images


def _resized(images: tf.Tensor, size: int, axis: int) -> tf.Tensor:
    weights = _triangle_weights(images.shape[axis], size)
    num_taps = int((weights > 0).sum(axis=1).max())
    first = np.minimum((weights > 0).argmax(axis=1), weights.shape[1] - num_taps)
    taken = first[:, None] + np.arange(num_taps)
    shares = np.take_along_axis(weights, taken, axis=1).astype(np.float32)
    shape = [size if place == axis else 1 for place in range(4)]
    taps = zip(taken.T, shares.T, strict=True)
    return tf.add_n(
        [tf.gather(images, pixels, axis=axis) * tf.constant(share.reshape(shape)) for pixels, share in taps]
    )


def _triangle_weights(length: int, size: int) -> np.ndarray:
    """float64 [size, length]: the weight of each pixel in each one of the result; rows sum to 1."""
    scale = max(length / size, 1.0)
    centre = (np.arange(size)[:, None] + 0.5) * (length / size)
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(length)[None, :] + 0.5 - centre) / scale)
    return weights / weights.sum(axis=1, keepdims=True)
