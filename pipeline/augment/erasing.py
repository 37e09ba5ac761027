"""Boxes of each image filled with one value: cutout and random erasing."""

import math
from typing import Any

import keras
import tensorflow as tf

from pipeline.augment import arguments
from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, uniform
from pipeline.common import seeds


@keras.saving.register_keras_serializable(PACKAGE)
class Cutout(Augmentation):
    """Fills a square of `pixels` x `pixels`; its center is uniform in the image, so the border may clip it.

    DeVries and Taylor 2017, arXiv 1708.04552: 8 pixels for CIFAR-100.
    """

    lengths = ("pixels",)

    wording = "about {:.0%} down, {:.0%} right"

    def __init__(self, pixels: int = 8, fill_value: float = 127.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pixels = arguments.whole("pixels", pixels, 0)
        self.fill_value = arguments.number("fill_value", fill_value, 0, 255)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 2]: the square's center (row, column), 0 to 1."""
        return uniform(seed, [views.count, 2])

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Fill the square about `drawn[i]` of image i."""
        size = tf.constant([*images.shape[1:3]], tf.float32)
        low = tf.floor(drawn * size) - self.pixels // 2
        return _paint(images, low, low + self.pixels, self.fill_value)


@keras.saving.register_keras_serializable(PACKAGE)
class RandomErasing(Augmentation):
    """Fills a rectangle of each image with `fill_value`, with `probability`.

    The rectangle lies inside, has 2 % to a third of the area, and an aspect ratio of up to 3.3 (Zhong et al. 2017,
    arXiv 1708.04896; ranges as in torchvision, one gray instead of noise).
    """

    MIN_AREA, MAX_AREA, MAX_ASPECT = 0.02, 1 / 3, 1 / 0.3

    def __init__(self, probability: float = 0.5, fill_value: float = 127.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probability = arguments.number("probability", probability, 0, 1)
        self.fill_value = arguments.number("fill_value", fill_value, 0, 255)

    def draw(self, seed: tf.Tensor, views: Views) -> tf.Tensor:
        """float32 [B, 4]: the box's height and width, and its place (down, right) among the possible ones, 0 to 1."""
        area_seed, aspect_seed, place_seed, coin_seed = (seeds.fold(seed, place) for place in range(4))
        area = uniform(area_seed, [views.count], self.MIN_AREA, self.MAX_AREA)
        limit = math.log(self.MAX_ASPECT)
        aspect = tf.exp(uniform(aspect_seed, [views.count], -limit, limit))
        height, width = tf.minimum(tf.sqrt(area * aspect), 1.0), tf.minimum(tf.sqrt(area / aspect), 1.0)
        erased = tf.cast(chosen(coin_seed, views.count, self.probability), tf.float32)[:, None]
        return tf.concat([erased * tf.stack([height, width], axis=1), uniform(place_seed, [views.count, 2])], axis=1)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Fill the box `drawn[i]` of image i; a box of no height is none."""
        image_size = tf.constant([*images.shape[1:3]], tf.float32)
        box_size = tf.round(drawn[:, :2] * image_size)
        places = image_size - box_size + 1.0
        low = tf.minimum(tf.floor(drawn[:, 2:] * places), places - 1.0)
        return _paint(images, low, low + box_size, self.fill_value)

    def describe(self, drawn: Any) -> str:
        """The size of the box as text."""
        return f"{drawn[0]:.0%} high, {drawn[1]:.0%} wide" if drawn[0] else "unchanged"


def _paint(images: tf.Tensor, low: tf.Tensor, high: tf.Tensor, fill_value: float) -> tf.Tensor:
    """Fill the boxes from (row, column) `low` up to but not including `high`: float32 [B, 2], may lie outside."""
    height, width = images.shape[1:3]
    rows = tf.range(height, dtype=tf.float32)[None, :]
    columns = tf.range(width, dtype=tf.float32)[None, :]
    in_rows = (rows >= low[:, :1]) & (rows < high[:, :1])
    in_columns = (columns >= low[:, 1:]) & (columns < high[:, 1:])
    return tf.where((in_rows[:, :, None] & in_columns[:, None, :])[..., None], fill_value, images)
