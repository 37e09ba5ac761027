"""Random erasing."""

import math
from typing import Any

import keras
import tensorflow as tf

from pipeline.augment.boxes import paint
from pipeline.augment.layer import PACKAGE, Augmentation, Views, chosen, uniform
from pipeline.common import seeds


@keras.saving.register_keras_serializable(PACKAGE)
class RandomErasing(Augmentation):
    """Fills a rectangle of each image with `fill_value`, with `probability`.

    The rectangle lies inside, has 2 % to a third of the area, and an aspect ratio of up to 3.3 (Zhong et al. 2017,
    arXiv 1708.04896; ranges as in torchvision, one grey instead of noise).
    """

    MIN_AREA, MAX_AREA, MAX_ASPECT = 0.02, 1 / 3, 1 / 0.3

    def __init__(self, probability: float = 0.5, fill_value: float = 127.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probability, self.fill_value = probability, fill_value

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
        return paint(images, low, low + box_size, self.fill_value)

    def describe(self, drawn: Any) -> str:
        """The size of the box as text."""
        return f"{drawn[0]:.0%} high, {drawn[1]:.0%} wide" if drawn[0] else "unchanged"
