"""Random crops."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.layer import PACKAGE, Augmentation, Views, uniform
from pipeline.augment.window import window


@keras.saving.register_keras_serializable(PACKAGE)
class Crop(Augmentation):
    """Pads each image with `padding` black pixels on every side, and takes a random window of `size` x `size` pixels.

    `Crop(32, padding=4)` is the standard augmentation of CIFAR (He et al. 2015, arXiv 1512.03385).
    """

    def __init__(self, size: int = 32, padding: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.padding = size, padding

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 2]: the window's place (down, right) among the possible ones, 0 to 1."""
        return uniform(seed, [views.count, 2])

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> [B, size, size, C]: each image's window."""
        top, left = (self._begin(drawn[:, axis], images.shape[1 + axis]) for axis in (0, 1))
        return window(images, top, left, (self.size, self.size), reflect=False)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Take a random window in training, else the middle one, so that sizes agree."""
        if training:
            return super().call(images, training=True)
        return self.apply(tf.cast(images, tf.float32), tf.fill([tf.shape(images)[0], 2], 0.5))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The window's size."""
        return (input_shape[0], self.size, self.size, input_shape[3])

    def describe(self, drawn: Any) -> str:
        """The window's place as text, such as "25% down, 60% right"."""
        return f"{drawn[0]:.0%} down, {drawn[1]:.0%} right"

    def _begin(self, drawn: tf.Tensor, length: int) -> tf.Tensor:
        """int32 [B]: the window's first pixel, counted from the image's; uniform."""
        places = length + 2 * self.padding - self.size + 1
        if places < 1:
            raise ValueError(f"size={self.size}: expected at most {length + 2 * self.padding}, the padded image's")
        return tf.minimum(tf.cast(drawn * places, tf.int32), places - 1) - self.padding
