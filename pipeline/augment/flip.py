"""Random flips."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.affine import AffineTransform, matrix
from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, per_image
from pipeline.common import seeds


class _Flip(AffineTransform):
    """Base of the flips with probability one half: exact by itself, a matrix when fused."""

    reaches_outside = False

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images are flipped."""
        return chosen(seed, views.count, 0.5)

    def describe(self, drawn: Any) -> str:
        """Whether the image is flipped, as text."""
        return "mirrored" if drawn else "unchanged"


@keras.saving.register_keras_serializable(PACKAGE)
class HorizontalFlip(_Flip):
    """Flips left and right with probability one half."""

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Flip the images whose `drawn` is True."""
        return tf.where(per_image(drawn), images[:, :, ::-1], images)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Turn x into -x where drawn."""
        return matrix(tf.where(drawn, -1.0, 1.0), 0.0, 0.0, 1.0, 0.0, 0.0, tf.shape(drawn)[0])


@keras.saving.register_keras_serializable(PACKAGE)
class VerticalFlip(_Flip):
    """Flips top and bottom with probability one half."""

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Flip the images whose `drawn` is True."""
        return tf.where(per_image(drawn), images[:, ::-1], images)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Turn y into -y where drawn."""
        return matrix(1.0, 0.0, 0.0, tf.where(drawn, -1.0, 1.0), 0.0, 0.0, tf.shape(drawn)[0])

    def describe(self, drawn: Any) -> str:
        """Whether the image is flipped, as text."""
        return "upside down" if drawn else "unchanged"


@keras.saving.register_keras_serializable(PACKAGE)
class AlternatingFlip(Augmentation):
    """Flips left and right in every other pass over an example; in which pass first is random for each example.

    In two passes the network sees both ways of every example, where independent flips repeat one way for half of them
    (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, arXiv 2404.00498). In a model of your own, whose
    images have no `VIEW_KEYS`, it is a `HorizontalFlip`.
    """

    new_every_step = False

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images are flipped."""
        return (seeds.hashed(seed, views.index) + views.pass_number) % 2 == 1

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Flip the images whose `drawn` is True."""
        return tf.where(per_image(drawn), images[:, :, ::-1], images)

    def describe(self, drawn: Any) -> str:
        """Whether the image is flipped, as text."""
        return "mirrored" if drawn else "unchanged"
