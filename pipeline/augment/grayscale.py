"""Random grayscale."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment import operations
from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, per_image


@keras.saving.register_keras_serializable(PACKAGE)
class Grayscale(Augmentation):
    """Converts each image to grey with `probability`; it keeps three channels."""

    rgb = True

    def __init__(self, probability: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probability = probability

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images are converted."""
        return chosen(seed, views.count, self.probability)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Convert the images whose `drawn` is True."""
        return tf.where(per_image(drawn), operations.grayscale(images), images)

    def describe(self, drawn: Any) -> str:
        """Whether the image is converted, as text."""
        return "grey" if drawn else "unchanged"
