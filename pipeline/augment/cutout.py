"""Cutout."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.boxes import paint
from pipeline.augment.layer import PACKAGE, Augmentation, Views, uniform


@keras.saving.register_keras_serializable(PACKAGE)
class Cutout(Augmentation):
    """Fills a square of `pixels` x `pixels`; its centre is uniform in the image, so the border may clip it.

    DeVries and Taylor 2017, arXiv 1708.04552: 8 pixels for CIFAR-100.
    """

    def __init__(self, pixels: int = 8, fill_value: float = 127.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pixels, self.fill_value = pixels, fill_value

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 2]: the square's centre (row, column), 0 to 1."""
        return uniform(seed, [views.count, 2])

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Fill the square about `drawn[i]` of image i."""
        size = tf.constant([*images.shape[1:3]], tf.float32)
        low = tf.floor(drawn * size) - self.pixels // 2
        return paint(images, low, low + self.pixels, self.fill_value)

    def describe(self, drawn: Any) -> str:
        """The square's centre as text."""
        return f"about {drawn[0]:.0%} down, {drawn[1]:.0%} right"
