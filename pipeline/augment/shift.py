"""Random translation by whole pixels."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.layer import PACKAGE, Augmentation, Views, integers
from pipeline.augment.window import window


@keras.saving.register_keras_serializable(PACKAGE)
class Shift(Augmentation):
    """Moves each image by up to `max_pixels` along both axes; new pixels at the border are the image reflected.

    Equal to padding by reflection and a random crop (Jordan 2024, arXiv 2404.00498).
    """

    def __init__(self, max_pixels: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_pixels = max_pixels

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """int32 [B, 2]: rows down and columns right, each from -max_pixels to max_pixels."""
        return integers(seed, [views.count, 2], -self.max_pixels, self.max_pixels + 1)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Move image i down by `drawn[i, 0]` rows and right by `drawn[i, 1]` columns."""
        height, width = images.shape[1:3]
        return window(images, -drawn[:, 0], -drawn[:, 1], (height, width), reflect=True)

    def describe(self, drawn: Any) -> str:
        """The shift as text, such as "down +1, right -2 px"."""
        return f"down {drawn[0]:+d}, right {drawn[1]:+d} px"
