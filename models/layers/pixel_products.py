"""A convolution of small maps as one matrix product for each output pixel, without the padding.

A 3 x 3 kernel on maps of 3 x 3 pixels meets padding in 40 % of its multiply-adds, on maps of 2 x 2 pixels in 56 %.
An output pixel's real neighbours, concatenated, times the kernel's positions that meet them leave all of it out.
"""

import itertools
from collections.abc import Callable

import tensorflow as tf


def convolved(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`tf.nn.conv2d` of stride 1 and "SAME" padding: [B, H, W, channels], [h, w, channels, filters] -> [..., filters].

    All sizes but the batch's are static.
    """
    return _products(images, kernel, _neighbours, is_gradient=False)


def images_gradient(upstream: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """[B, H, W, channels]: the gradient of `convolved` for its images; `upstream` is [B, H, W, filters]."""
    with tf.name_scope("images_gradient"):  # `benchmarks.profile` knows the operations by it
        return _products(upstream, kernel, _seen_by, is_gradient=True)


def _products(
    maps: tf.Tensor, kernel: tf.Tensor, met_by: Callable[[int, int, int], list[tuple[int, int]]], is_gradient: bool
) -> tf.Tensor:
    """One product for each pixel, with the (neighbour, position in the kernel) that it is `met_by` along each axis."""
    rows, columns = (
        [met_by(place, length, kernel_length) for place in range(length)]
        for length, kernel_length in zip(maps.shape[1:3], kernel.shape[:2], strict=True)
    )
    pixels = [tf.unstack(row, axis=1) for row in tf.unstack(maps, axis=1)]
    # Not slices: the gradient of each would be a kernel of zeros.
    positions = [tf.unstack(row) for row in tf.unstack(kernel)]
    produced = []
    for of_row, of_column in itertools.product(rows, columns):
        met = [(row, column) for row in of_row for column in of_column]
        neighbours = tf.concat([pixels[row][column] for (row, _), (column, _) in met], -1)
        weights = tf.concat([positions[row][column] for (_, row), (_, column) in met], int(is_gradient))
        produced.append(tf.matmul(neighbours, weights, transpose_b=is_gradient))
    outputs = tf.stack(produced, 1)
    return tf.reshape(outputs, [-1, len(rows), len(columns), outputs.shape[-1]])


def _neighbours(place: int, length: int, kernel_length: int) -> list[tuple[int, int]]:
    """Along one axis, the inputs that an output sees, and the position in the kernel that each meets."""
    first = place - (kernel_length - 1) // 2
    return [(first + position, position) for position in range(kernel_length) if 0 <= first + position < length]


def _seen_by(place: int, length: int, kernel_length: int) -> list[tuple[int, int]]:
    """Along one axis, the outputs that see an input, and the position in the kernel that each meets it with."""
    return [
        (output, position)
        for output in range(length)
        for neighbour, position in _neighbours(output, length, kernel_length)
        if neighbour == place
    ]
