"""Random brightness, contrast, saturation and hue."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from pipeline.augment import operations
from pipeline.augment.layer import PACKAGE, Augmentation, Views, uniform
from pipeline.common import seeds


class Colors(NamedTuple):
    """The draws of a batch, float32 [B] each.

    Attributes:
      brightness: factor; 1 changes nothing.
      contrast: factor.
      saturation: factor.
      hue: rotation, where 1 is a full circle.
    """

    brightness: tf.Tensor
    contrast: tf.Tensor
    saturation: tf.Tensor
    hue: tf.Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class ColorJitter(Augmentation):
    """Changes brightness, contrast, saturation and hue, in that order.

    The arguments are torchvision's, which shuffles the order; SimCLR names this one (Chen et al. 2020, arXiv
    2002.05709).

    Args:
      brightness: the factor is drawn from 1 - brightness (at least 0) to 1 + brightness.
      contrast: likewise.
      saturation: likewise.
      hue: the rotation is drawn from -hue to hue; at most 0.5, half of the circle.
    """

    rgb = True

    def __init__(
        self, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4, hue: float = 0.1, **kwargs: Any
    ) -> None:
        if not 0.0 <= hue <= 0.5:
            raise ValueError(f"hue={hue!r}: expected 0 to 0.5, half of the circle either way")
        super().__init__(**kwargs)
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue

    def draw(self, seed: tf.Tensor, views: Views) -> Colors:
        """[B]: factors and rotations."""
        ranges = [(max(0.0, 1.0 - most), 1.0 + most) for most in (self.brightness, self.contrast, self.saturation)]
        ranges.append((-self.hue, self.hue))
        return Colors(*(uniform(seeds.fold(seed, place), [views.count], *of) for place, of in enumerate(ranges)))

    def apply(self, images: tf.Tensor, drawn: Colors) -> tf.Tensor:
        """Change image i by the i-th factors and rotation."""
        images = operations.brightness(images, drawn.brightness)
        images = operations.contrast(images, drawn.contrast)
        images = operations.color(images, drawn.saturation)
        return operations.hue(images, drawn.hue)

    def describe(self, drawn: Any) -> str:
        """The draw as text, such as "brightness 1.12, contrast 0.87, saturation 1.30, hue +22°"."""
        factors = f"brightness {drawn.brightness:.2f}, contrast {drawn.contrast:.2f}"
        return f"{factors}, saturation {drawn.saturation:.2f}, hue {360 * drawn.hue:+.0f}°"
