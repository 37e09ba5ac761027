"""Take the colour from images."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment import operations
from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, per_image


@keras.saving.register_keras_serializable(PACKAGE)
class Grayscale(Augmentation):
    """Turn each image grey with `probability`; it keeps its three channels."""

    rgb = True

    def __init__(self, probability: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probability = probability

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images turn grey."""
        return chosen(seed, views.count, self.probability)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Turn the images grey whose `drawn` is True."""
        return tf.where(per_image(drawn), operations.grayscale(images), images)

    def describe(self, drawn: Any) -> str:
        """Whether it turned grey."""
        return "grey" if drawn else "as it is"
