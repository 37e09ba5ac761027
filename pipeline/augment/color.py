"""Random brightness, contrast, saturation, hue and gray."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from pipeline.augment import arguments, operations
from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, per_image, uniform
from pipeline.common import seeds


@keras.saving.register_keras_serializable(PACKAGE)
class ChannelShift(Augmentation):
    """Add one value to every channel of an image, and clip to the image's own darkest and brightest value.

    As `ImageDataGenerator(channel_shift_range=max_fraction)` on pixels of 0 to 1; here the fraction is of 255.
    """

    wording = "{:+.2f}"

    def __init__(self, max_fraction: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_fraction = arguments.number("max_fraction", max_fraction, 0, 1)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B]: the added value, as a fraction of 255."""
        return uniform(seed, [views.count], -self.max_fraction, self.max_fraction)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Add 255 x `drawn[i]` to image i."""
        darkest = tf.reduce_min(images, axis=[1, 2, 3], keepdims=True)
        brightest = tf.reduce_max(images, axis=[1, 2, 3], keepdims=True)
        return tf.clip_by_value(images + 255.0 * per_image(drawn), darkest, brightest)


@keras.saving.register_keras_serializable(PACKAGE)
class Grayscale(Augmentation):
    """Converts each image to gray with `probability`; it keeps three channels."""

    rgb = True
    wording = "grey"

    def __init__(self, probability: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probability = arguments.number("probability", probability, 0, 1)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """Bool [B]: which images are converted."""
        return chosen(seed, views.count, self.probability)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Convert the images whose `drawn` is True."""
        return tf.where(per_image(drawn), operations.grayscale(images), images)


class Colors(NamedTuple):
    """The draws of a batch, float32 [B] each.

    Factors, where 1 changes nothing, and a rotation of the hue, where 1 is a full circle.
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
        super().__init__(**kwargs)
        self.brightness = arguments.number("brightness", brightness, 0)
        self.contrast = arguments.number("contrast", contrast, 0)
        self.saturation = arguments.number("saturation", saturation, 0)
        self.hue = arguments.number("hue", hue, 0, 0.5)

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
