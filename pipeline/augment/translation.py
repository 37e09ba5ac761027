"""Random translation by fractions of pixels; see `Shift` for whole pixels."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.affine import AffineTransform, matrix
from pipeline.augment.layer import PACKAGE, Views, uniform


@keras.saving.register_keras_serializable(PACKAGE)
class Translation(AffineTransform):
    """Moves each image by up to `max_fraction` of its width and of its height, drawn independently."""

    def __init__(self, max_fraction: float = 0.125, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_fraction = max_fraction

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 2]: right and down, in widths and heights."""
        return uniform(seed, [views.count, 2], -self.max_fraction, self.max_fraction)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Move image i right by `drawn[i, 0]` widths and down by `drawn[i, 1]` heights."""
        return matrix(1.0, 0.0, 0.0, 1.0, -drawn[:, 0] * width, -drawn[:, 1] * height, tf.shape(drawn)[0])

    def describe(self, drawn: Any) -> str:
        """The translation as text, such as "right +0.10, down -0.05"."""
        return f"right {drawn[0]:+.2f}, down {drawn[1]:+.2f}"
