"""One operation for each image, chosen from the fourteen that TrivialAugment and RandAugment share.

A choice is an operation and its magnitude for each image. A batch always costs the same few loops over its pixels: one
blend, one change of values, one warp. Every image goes through all of them, and only its own operation changes it.
"""

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipeline.augment import operations
from pipeline.augment.affine import DEGREE, matrix, warp
from pipeline.augment.layer import integers, per_image
from pipeline.common import seeds


class Operation(enum.IntEnum):
    """The fourteen operations, and the units of their magnitudes."""

    IDENTITY = 0
    SHEAR_X = 1  # pixels to the left for each row down
    SHEAR_Y = 2  # pixels up for each column to the right
    TRANSLATE_X = 3  # pixels to the right
    TRANSLATE_Y = 4  # pixels down
    ROTATE = 5  # degrees anticlockwise
    BRIGHTNESS = 6  # factors; 1 changes nothing
    COLOR = 7
    CONTRAST = 8
    SHARPNESS = 9
    POSTERIZE = 10  # bits kept
    SOLARIZE = 11  # the lowest value that is inverted
    AUTO_CONTRAST = 12
    EQUALIZE = 13


ENHANCEMENTS = range(Operation.BRIGHTNESS, Operation.SHARPNESS + 1)
NUM_LEVELS = 31  # of TrivialAugment's and RandAugment's strengths

_FORMATS: dict[int, str] = {
    **dict.fromkeys((Operation.SHEAR_X, Operation.SHEAR_Y), " {:+z.2f}"),
    **dict.fromkeys((Operation.TRANSLATE_X, Operation.TRANSLATE_Y), " {:+z.0f} px"),
    Operation.ROTATE: " {:+z.0f}°",
    **dict.fromkeys(ENHANCEMENTS, " {:.2f}"),
    Operation.POSTERIZE: " {:.0f} bits",
    Operation.SOLARIZE: " from {:.0f}",
}


class Choice(NamedTuple):
    """Operations and their magnitudes.

    Attributes:
      operation: int32 [B, ...], values of `Operation`.
      magnitude: float32 [B, ...], in the operation's unit; 0 where it has none.
    """

    operation: tf.Tensor
    magnitude: tf.Tensor


def magnitudes(
    *, shear: float, pixels: float, degrees: float, enhancement: float, bits: tuple[int, int], num_levels: int
) -> np.ndarray:
    """float32 [14, 2, `num_levels`]: each operation's magnitude with either sign at every level, as in torchvision.

    Args:
      shear: the strongest shear.
      pixels: the farthest translation; translations are truncated to whole pixels.
      degrees: the largest rotation.
      enhancement: the largest distance of a factor from 1.
      bits: kept by the weakest and by the strongest posterization.
      num_levels: levels from no change to the strongest, evenly spaced.
    """
    level = np.linspace(0.0, 1.0, num_levels)
    signed = np.stack([level, -level])
    table = np.zeros([len(Operation), 2, num_levels], np.float32)
    table[[Operation.SHEAR_X, Operation.SHEAR_Y]] = shear * signed
    table[[Operation.TRANSLATE_X, Operation.TRANSLATE_Y]] = np.trunc(pixels * signed)
    table[Operation.ROTATE] = degrees * signed
    table[ENHANCEMENTS] = 1.0 + enhancement * signed
    table[Operation.POSTERIZE] = bits[0] - np.round((bits[0] - bits[1]) * level)
    table[Operation.SOLARIZE] = 255.0 * (1.0 - level)
    return table


def draw_choice(
    seed: tf.Tensor, shape: list[Any], table: np.ndarray, levels: range, among: Sequence[Operation] = tuple(Operation)
) -> Choice:
    """Choices of this shape: operations out of `among`, signs and `levels`, drawn uniformly and independently.

    `seed` is int32 [2]; `table` is that of `magnitudes`.
    """
    operation = tf.gather(tf.constant(among, tf.int32), integers(seeds.fold(seed, 0), shape, 0, len(among)))
    sign = integers(seeds.fold(seed, 1), shape, 0, 2)
    level = integers(seeds.fold(seed, 2), shape, levels.start, levels.stop)
    return Choice(operation, tf.gather_nd(table, tf.stack([operation, sign, level], axis=-1)))


def apply_operation(images: tf.Tensor, choice: Choice, fill_value: float = 0.0) -> tf.Tensor:
    """Apply to each image, float32 [B, H, W, 3], its operation; pixels outside of an image have the `fill_value`."""
    # An image changes in only one of these, so their order is free. XLA is up to five times as fast in this order: what
    # precedes the loop of `equalize` is computed once; elsewhere each use of a pixel would move it again.
    images = equalize(move(images, choice, fill_value), choice)
    return change_values(enhance(images, choice), choice)


def move(images: tf.Tensor, choice: Choice, fill_value: float = 0.0) -> tf.Tensor:
    """Shear about the upper left corner, as Pillow does, translate, and rotate about the center."""
    height, width = images.shape[1:3]
    shear_x, shear_y = _magnitude(Operation.SHEAR_X, choice), _magnitude(Operation.SHEAR_Y, choice)
    right, down = _magnitude(Operation.TRANSLATE_X, choice), _magnitude(Operation.TRANSLATE_Y, choice)
    angle = _magnitude(Operation.ROTATE, choice) * DEGREE
    cos, sin = tf.cos(angle), tf.sin(angle)
    # All but the chosen one are zero.
    x, y = shear_x * height / 2 - right, shear_y * width / 2 - down
    matrices = matrix(cos, shear_x - sin, shear_y + sin, cos, x, y, tf.shape(angle)[0])
    return warp(images, matrices, "constant", fill_value)


def equalize(images: tf.Tensor, choice: Choice) -> tf.Tensor:
    """Flatten the histograms."""
    return operations.equalize(images, choice.operation == Operation.EQUALIZE)


def enhance(images: tf.Tensor, choice: Choice) -> tf.Tensor:
    """Brightness, color, contrast and sharpness."""
    degenerate = tf.where(_chose(Operation.COLOR, choice), operations.luma(images), 0.0)
    degenerate = tf.where(_chose(Operation.CONTRAST, choice), operations.mean_luma(images), degenerate)
    degenerate = tf.where(_chose(Operation.SHARPNESS, choice), operations.smoothed(images), degenerate)
    enhanced = (choice.operation >= Operation.BRIGHTNESS) & (choice.operation <= Operation.SHARPNESS)
    return operations.blend(images, degenerate, tf.where(enhanced, choice.magnitude, 1.0))


def change_values(images: tf.Tensor, choice: Choice) -> tf.Tensor:
    """Posterize, solarize and stretch the contrast."""
    bits = tf.cast(_magnitude(Operation.POSTERIZE, choice, 8.0), tf.int32)
    posterized = tf.where(_chose(Operation.POSTERIZE, choice), operations.posterize(images, bits), images)
    never = 256.0
    solarized = operations.solarize(posterized, _magnitude(Operation.SOLARIZE, choice, never))
    return tf.where(_chose(Operation.AUTO_CONTRAST, choice), operations.autocontrast(images), solarized)


def describe(operation: int, magnitude: float) -> str:
    """The operation as text, such as "Rotate +87°" or "Posterize 4 bits"."""
    chosen = Operation(operation)
    return chosen.name.title().replace("_", "") + _FORMATS.get(chosen, "").format(magnitude)


def _chose(operation: Operation, choice: Choice) -> tf.Tensor:
    """Bool [B, 1, 1, 1]."""
    return per_image(choice.operation == operation)


def _magnitude(operation: Operation, choice: Choice, otherwise: float = 0.0) -> tf.Tensor:
    """float32 [B]: of the images that chose the operation; of the others what leaves them as they are."""
    return tf.where(choice.operation == operation, choice.magnitude, otherwise)
