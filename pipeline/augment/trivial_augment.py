"""TrivialAugment."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.choice import NUM_LEVELS, Choice, apply_operation, describe, draw_choice, magnitudes
from pipeline.augment.layer import PACKAGE, Augmentation, Views


@keras.saving.register_keras_serializable(PACKAGE)
class TrivialAugmentWide(Augmentation):
    """Applies one of fourteen operations at one of 31 strengths (Müller & Hutter 2021, arXiv 2103.10158, wide).

    Both are uniform, and nothing is tuned: shears to 0.99, translations to 32 pixels, rotations to 135 degrees,
    brightness, colour, contrast and sharpness times 0.01 to 1.99, posterized to 8 to 2 bits, solarized from 255 to 0.
    As in torchvision, but interpolated bilinearly, and not rounded.

    Args:
      fill_value: 0 to 255, value of pixels outside of the image; the authors' and torchvision's is 0.
    """

    rgb = True

    def __init__(self, fill_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fill_value = fill_value

    def draw(self, seed: tf.Tensor, views: Views) -> Choice:
        """[B]: the operation of each image."""
        table = magnitudes(shear=0.99, pixels=32.0, degrees=135.0, enhancement=0.99, bits=(8, 2), num_levels=NUM_LEVELS)
        return draw_choice(seed, [views.count], table, range(NUM_LEVELS))

    def apply(self, images: tf.Tensor, drawn: Choice) -> tf.Tensor:
        """Apply each image's operation."""
        return apply_operation(images, drawn, self.fill_value)

    def describe(self, drawn: Any) -> str:
        """The operation as text, such as "Rotate +87°"."""
        return describe(drawn.operation, drawn.magnitude)
