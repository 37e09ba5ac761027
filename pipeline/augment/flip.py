"""Mirror images."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.affine import AffineTransform, matrix
from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, per_image
from pipeline.common import seeds


class _Flip(AffineTransform):
    """Mirror each image with probability one half; alone exact, beside other affine transforms a matrix."""

    reaches_outside = False

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images are mirrored."""
        return chosen(seed, views.count, 0.5)

    def describe(self, drawn: Any) -> str:
        """Whether it is mirrored."""
        return "mirrored" if drawn else "as it is"


@keras.saving.register_keras_serializable(PACKAGE)
class HorizontalFlip(_Flip):
    """Left for right, with probability one half."""

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Mirror the images whose `drawn` is True."""
        return tf.where(per_image(drawn), images[:, :, ::-1], images)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Turn x into -x where drawn."""
        return matrix(tf.where(drawn, -1.0, 1.0), 0.0, 0.0, 1.0, 0.0, 0.0, tf.shape(drawn)[0])


@keras.saving.register_keras_serializable(PACKAGE)
class VerticalFlip(_Flip):
    """Top for bottom, with probability one half."""

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Mirror the images whose `drawn` is True."""
        return tf.where(per_image(drawn), images[:, ::-1], images)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Turn y into -y where drawn."""
        return matrix(1.0, 0.0, 0.0, tf.where(drawn, -1.0, 1.0), 0.0, 0.0, tf.shape(drawn)[0])

    def describe(self, drawn: Any) -> str:
        """Whether it is turned over."""
        return "upside down" if drawn else "as it is"


@keras.saving.register_keras_serializable(PACKAGE)
class AlternatingFlip(Augmentation):
    """Left for right every other time that an example is seen; whether the first time is chance, example by example.

    Seen twice, the network sees it both ways, instead of the same way twice for half of them (Jordan,
    "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, arXiv 2404.00498). In a model of your own, where nobody
    numbers the examples, it is a `HorizontalFlip`.
    """

    new_every_step = False

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images are mirrored."""
        return (seeds.hashed(seed, views.index) + views.pass_number) % 2 == 1

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Mirror the images whose `drawn` is True."""
        return tf.where(per_image(drawn), images[:, :, ::-1], images)

    def describe(self, drawn: Any) -> str:
        """Whether it is mirrored."""
        return "mirrored" if drawn else "as it is"
