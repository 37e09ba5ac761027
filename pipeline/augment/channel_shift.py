"""Random brightness, the same for all channels."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.layer import PACKAGE, Augmentation, Views, per_image, uniform


@keras.saving.register_keras_serializable(PACKAGE)
class ChannelShift(Augmentation):
    """Add one value to every channel of an image, and clip to the image's own darkest and brightest value.

    As `ImageDataGenerator(channel_shift_range=max_fraction)` on pixels of 0 to 1; here the fraction is of 255.
    """

    def __init__(self, max_fraction: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_fraction = max_fraction

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B]: the added value, as a fraction of 255."""
        return uniform(seed, [views.count], -self.max_fraction, self.max_fraction)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Add 255 x `drawn[i]` to image i."""
        darkest = tf.reduce_min(images, axis=[1, 2, 3], keepdims=True)
        brightest = tf.reduce_max(images, axis=[1, 2, 3], keepdims=True)
        return tf.clip_by_value(images + 255.0 * per_image(drawn), darkest, brightest)

    def describe(self, drawn: Any) -> str:
        """The added fraction, such as "+0.12"."""
        return f"{drawn:+.2f}"
