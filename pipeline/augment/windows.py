"""Windows of whole pixels, which may lie partly outside of the image: random shifts and crops."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.augment import arguments
from pipeline.augment.layer import PACKAGE, Augmentation, Views, integers, uniform


@keras.saving.register_keras_serializable(PACKAGE)
class Shift(Augmentation):
    """Moves each image by up to `max_pixels` along both axes; new pixels at the border are the image reflected.

    Equal to padding by reflection and a random crop (Jordan 2024, arXiv 2404.00498).
    """

    lengths = ("max_pixels",)

    wording = "down {:+d}, right {:+d} px"

    def __init__(self, max_pixels: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_pixels = arguments.whole("max_pixels", max_pixels, 0)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """int32 [B, 2]: rows down and columns right, each from -max_pixels to max_pixels."""
        return integers(seed, [views.count, 2], -self.max_pixels, self.max_pixels + 1)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Move image i down by `drawn[i, 0]` rows and right by `drawn[i, 1]` columns."""
        height, width = images.shape[1:3]
        if self.max_pixels >= min(height, width):
            raise ValueError(f"max_pixels={self.max_pixels}: expected less than the images' {height} x {width} pixels")
        return _window(images, -drawn[:, 0], -drawn[:, 1], (height, width), reflect=True)


@keras.saving.register_keras_serializable(PACKAGE)
class Crop(Augmentation):
    """Pads each image with `padding` black pixels on every side, and takes a random window of `size` x `size` pixels.

    `Crop(32, padding=4)` is the standard augmentation of CIFAR (He et al. 2015, arXiv 1512.03385).
    """

    lengths = ("size", "padding")

    wording = "{:.0%} down, {:.0%} right"

    def __init__(self, size: int = 32, padding: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.padding = arguments.whole("size", size, 1), arguments.whole("padding", padding, 0)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 2]: the window's place (down, right) among the possible ones, 0 to 1."""
        return uniform(seed, [views.count, 2])

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> [B, size, size, C]: each image's window."""
        top, left = (self._begin(drawn[:, axis], images.shape[1 + axis]) for axis in (0, 1))
        return _window(images, top, left, (self.size, self.size), reflect=False)

    def unaugmented(self, images: tf.Tensor) -> tf.Tensor:
        """The middle window, so that sizes agree."""
        if images.shape[1:3] == (self.size, self.size):
            return images
        return tf.image.resize_with_crop_or_pad(images, self.size, self.size)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The window's size."""
        return (input_shape[0], self.size, self.size, input_shape[3])

    def _begin(self, drawn: tf.Tensor, length: int) -> tf.Tensor:
        """int32 [B]: the window's first pixel, counted from the image's; uniform."""
        places = length + 2 * self.padding - self.size + 1
        if places < 1:
            raise ValueError(f"size={self.size}: expected at most {length + 2 * self.padding}, the padded image's")
        if self.padding >= length:
            raise ValueError(f"padding={self.padding}: expected less than {length}, the image's pixels")
        return tf.minimum(tf.cast(drawn * places, tf.int32), places - 1) - self.padding


def _window(images: tf.Tensor, top: tf.Tensor, left: tf.Tensor, size: tuple[int, int], reflect: bool) -> tf.Tensor:
    """The window of `size` (height, width) that begins at row `top[i]` and column `left[i]`, int32 [B], of image i.

    Pixels outside of the image are the image mirrored without repeating its border if `reflect`; else they are black.
    """
    height, width = images.shape[1:3]
    rows = tf.range(size[0])[None, :] + top[:, None]
    columns = tf.range(size[1])[None, :] + left[:, None]
    taken = tf.gather(images, _inside(rows, height), axis=1, batch_dims=1)
    taken = tf.gather(taken, _inside(columns, width), axis=2, batch_dims=1)
    if reflect:
        return taken
    seen = (_inside(rows, height) == rows)[:, :, None] & (_inside(columns, width) == columns)[:, None, :]
    return tf.where(seen[..., None], taken, 0.0)


def _inside(index: tf.Tensor, size: int) -> tf.Tensor:
    """`index` mirrored into 0 to size - 1; it lies outside by less than `size`."""
    return size - 1 - tf.abs(size - 1 - tf.abs(index))
