"""Random zoom."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.affine import AffineTransform, matrix
from pipeline.augment.layer import PACKAGE, Views, uniform


@keras.saving.register_keras_serializable(PACKAGE)
class Zoom(AffineTransform):
    """Shows 1 - max_fraction to 1 + max_fraction of each image's width and height, drawn independently.

    As `ImageDataGenerator(zoom_range=max_fraction)`: a share below 1 magnifies.
    """

    def __init__(self, max_fraction: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_fraction = max_fraction

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 2]: the visible shares of width and height."""
        return uniform(seed, [views.count, 2], 1.0 - self.max_fraction, 1.0 + self.max_fraction)

    def matrices(self, drawn: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Show the share `drawn[i]` of image i."""
        return matrix(drawn[:, 0], 0.0, 0.0, drawn[:, 1], 0.0, 0.0, tf.shape(drawn)[0])

    def describe(self, drawn: Any) -> str:
        """The visible shares as text, such as "width 0.85, height 1.10"."""
        return f"width {drawn[0]:.2f}, height {drawn[1]:.2f}"
