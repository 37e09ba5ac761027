"""Rotation, shear, zoom, translation by fractions of pixels, and flips; `windows.py` moves by whole pixels."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.augment import arguments
from pipeline.augment.affine import DEGREE, AffineTransform, matrix
from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, per_image, uniform
from pipeline.common import seeds


@keras.saving.register_keras_serializable(PACKAGE)
class Rotation(AffineTransform):
    """Rotates each image about its center by up to `max_degrees` either way."""

    wording = "{:+z.0f}°"

    def __init__(self, max_degrees: float = 15.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_degrees = arguments.number("max_degrees", max_degrees, 0, 360)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B]: degrees, anticlockwise."""
        return uniform(seed, [views.count], -self.max_degrees, self.max_degrees)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Rotate image i by `drawn[i]` degrees."""
        cos, sin = tf.cos(drawn * DEGREE), tf.sin(drawn * DEGREE)
        return matrix(cos, -sin, sin, cos, 0.0, 0.0, tf.shape(drawn)[0])


@keras.saving.register_keras_serializable(PACKAGE)
class Shear(AffineTransform):
    """Shears the columns of each image by up to `max_degrees` either way, as `ImageDataGenerator` does.

    The generator's `shear_range` is in degrees, so the original study's 0.2 has next to no effect.
    """

    wording = "slant {:+.2g}°"

    def __init__(self, max_degrees: float = 10.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_degrees = arguments.number("max_degrees", max_degrees, 0, 90, below=True)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B]: degrees."""
        return uniform(seed, [views.count], -self.max_degrees, self.max_degrees)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Shear image i by `drawn[i]` degrees."""
        radians = drawn * DEGREE
        return matrix(1.0, -tf.sin(radians), 0.0, tf.cos(radians), 0.0, 0.0, tf.shape(drawn)[0])


@keras.saving.register_keras_serializable(PACKAGE)
class Zoom(AffineTransform):
    """Shows 1 - max_fraction to 1 + max_fraction of each image's width and height, drawn independently.

    As `ImageDataGenerator(zoom_range=max_fraction)`: a share below 1 magnifies.
    """

    wording = "width {:.2f}, height {:.2f}"

    def __init__(self, max_fraction: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_fraction = arguments.number("max_fraction", max_fraction, 0, 1, below=True)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 2]: the visible shares of width and height."""
        return uniform(seed, [views.count, 2], 1.0 - self.max_fraction, 1.0 + self.max_fraction)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Show the share `drawn[i]` of image i."""
        return matrix(drawn[:, 0], 0.0, 0.0, drawn[:, 1], 0.0, 0.0, tf.shape(drawn)[0])


@keras.saving.register_keras_serializable(PACKAGE)
class Translation(AffineTransform):
    """Moves each image by up to `max_fraction` of its width and of its height, drawn independently."""

    wording = "right {:+.2f}, down {:+.2f}"

    def __init__(self, max_fraction: float = 0.125, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_fraction = arguments.number("max_fraction", max_fraction, 0, 1)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 2]: right and down, in widths and heights."""
        return uniform(seed, [views.count, 2], -self.max_fraction, self.max_fraction)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Move image i right by `drawn[i, 0]` widths and down by `drawn[i, 1]` heights."""
        return matrix(1.0, 0.0, 0.0, 1.0, -drawn[:, 0] * width, -drawn[:, 1] * height, tf.shape(drawn)[0])


class _Flip(AffineTransform):
    """Base of the flips with probability one half: exact by itself, a matrix when fused."""

    reaches_outside = False
    mirror: tuple[slice, ...]  # the index that flips a batch of images

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        return chosen(seed, views.count, 0.5)  # bool [B]: which images are flipped

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        return tf.where(per_image(drawn), images[self.mirror], images)


@keras.saving.register_keras_serializable(PACKAGE)
class HorizontalFlip(_Flip):
    """Flips left and right with probability one half."""

    mirror, wording = np.s_[:, :, ::-1], "mirrored"

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Turn x into -x where drawn."""
        return matrix(tf.where(drawn, -1.0, 1.0), 0.0, 0.0, 1.0, 0.0, 0.0, tf.shape(drawn)[0])


@keras.saving.register_keras_serializable(PACKAGE)
class VerticalFlip(_Flip):
    """Flips top and bottom with probability one half."""

    mirror, wording = np.s_[:, ::-1], "upside down"

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Turn y into -y where drawn."""
        return matrix(1.0, 0.0, 0.0, tf.where(drawn, -1.0, 1.0), 0.0, 0.0, tf.shape(drawn)[0])


@keras.saving.register_keras_serializable(PACKAGE)
class AlternatingFlip(Augmentation):
    """Flips left and right in every other pass over an example; in which pass first is random for each example.

    In two passes the network sees both ways of every example, where independent flips repeat one way for half of them
    (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, arXiv 2404.00498). In a model of your own, whose
    images have no `VIEW_KEYS`, it is a `HorizontalFlip`.
    """

    new_every_step = False
    wording = "mirrored"

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images are flipped."""
        return (seeds.hashed(seed, views.index) + views.pass_number) % 2 == 1

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Flip the images whose `drawn` is True."""
        return tf.where(per_image(drawn), images[:, :, ::-1], images)
