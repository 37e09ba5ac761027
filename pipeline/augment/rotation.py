"""Random rotation."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.affine import AffineTransform, matrix
from pipeline.augment.layer import PACKAGE, Views, uniform

DEGREE = 0.017453292519943295  # in radians


@keras.saving.register_keras_serializable(PACKAGE)
class Rotation(AffineTransform):
    """Rotates each image about its centre by up to `max_degrees` either way."""

    def __init__(self, max_degrees: float = 15.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_degrees = max_degrees

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B]: degrees, anticlockwise."""
        return uniform(seed, [views.count], -self.max_degrees, self.max_degrees)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Rotate image i by `drawn[i]` degrees."""
        cos, sin = tf.cos(drawn * DEGREE), tf.sin(drawn * DEGREE)
        return matrix(cos, -sin, sin, cos, 0.0, 0.0, tf.shape(drawn)[0])

    def describe(self, drawn: Any) -> str:
        """The angle, such as "+34°"."""
        return f"{drawn:+z.0f}°"
