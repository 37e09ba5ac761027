"""RandAugment."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.choice import NUM_LEVELS, Choice, apply_operation, check_size, describe, draw_choice, magnitudes
from pipeline.augment.layer import PACKAGE, Augmentation, Views


@keras.saving.register_keras_serializable(PACKAGE)
class RandAugment(Augmentation):
    """Applies `num_operations` of fourteen operations, drawn for each image (Cubuk et al. 2019, arXiv 1909.13719).

    At full magnitude: shear 0.3, translation by 0.45 of the size, rotation by 30 degrees, brightness, colour, contrast
    and sharpness times 0.1 or 1.9, posterized to 4 bits, solarized from 0. As in torchvision, but interpolated
    bilinearly, and not rounded.

    Args:
      num_operations: operations an image, drawn with replacement.
      magnitude: the strength of all operations, 0 to 30.
      size: pixels of an image's side, which scale translations.
      fill_value: 0 to 255, value of pixels outside of the image; torchvision's is 0, the authors' 128.
    """

    rgb = True

    def __init__(
        self, num_operations: int = 2, magnitude: int = 9, size: int = 32, fill_value: float = 0.0, **kwargs: Any
    ) -> None:
        if magnitude not in range(NUM_LEVELS):
            raise ValueError(f"magnitude={magnitude!r}: expected a whole number from 0 to {NUM_LEVELS - 1}")
        super().__init__(**kwargs)
        self.num_operations, self.magnitude, self.size, self.fill_value = num_operations, magnitude, size, fill_value

    def draw(self, seed: tf.Tensor, views: Views) -> Choice:
        """[B, num_operations]: the operations for each image."""
        pixels = 150 / 331 * self.size
        table = magnitudes(shear=0.3, pixels=pixels, degrees=30.0, enhancement=0.9, bits=(8, 4), num_levels=NUM_LEVELS)
        shape = [views.count, self.num_operations]
        return draw_choice(seed, shape, table, range(self.magnitude, self.magnitude + 1))

    def apply(self, images: tf.Tensor, drawn: Choice) -> tf.Tensor:
        """Apply each image's operations in order."""
        check_size(images, self.size)
        for place in range(self.num_operations):
            choice = Choice(drawn.operation[:, place], drawn.magnitude[:, place])
            images = apply_operation(images, choice, self.fill_value)
        return images

    def describe(self, drawn: Any) -> str:
        """The operations as text, such as "ShearX +0.09, Equalize"."""
        return ", ".join(map(describe, drawn.operation, drawn.magnitude))
