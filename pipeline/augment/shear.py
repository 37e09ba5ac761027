"""Random shear."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.affine import AffineTransform, matrix
from pipeline.augment.layer import PACKAGE, Views, uniform
from pipeline.augment.rotation import DEGREE


@keras.saving.register_keras_serializable(PACKAGE)
class Shear(AffineTransform):
    """Shears the columns of each image by up to `max_degrees` either way, as `ImageDataGenerator` does.

    The generator's `shear_range` is in degrees, so the original study's 0.2 has next to no effect.
    """

    def __init__(self, max_degrees: float = 10.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_degrees = max_degrees

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B]: degrees."""
        return uniform(seed, [views.count], -self.max_degrees, self.max_degrees)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Shear image i by `drawn[i]` degrees."""
        radians = drawn * DEGREE
        return matrix(1.0, -tf.sin(radians), 0.0, tf.cos(radians), 0.0, 0.0, tf.shape(drawn)[0])

    def describe(self, drawn: Any) -> str:
        """The angle as text, such as "slant +3.2°"."""
        return f"slant {drawn:+.2g}°"
