"""Move images by whole pixels."""

from typing import Any

import keras
import tensorflow as tf

from pipeline import seeds
from pipeline.augment.layer import Augmentation


@keras.saving.register_keras_serializable("streaming_cifar100")
class Shift(Augmentation):
    """Move each image by up to `max_pixels` along both axes; what comes in at the border is the image reflected.

    The same as padding by reflection and cropping at random (He et al. 2015, with reflection as airbench has it).
    """

    def __init__(self, max_pixels: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_pixels = max_pixels

    def draw(self, seed: tf.Tensor, num_images: tf.Tensor) -> tf.Tensor:
        """int32 [B, 2]: rows down and columns right, each from -max_pixels to max_pixels."""
        low, high = -self.max_pixels, self.max_pixels + 1
        return tf.random.stateless_uniform([num_images, 2], seed, low, high, tf.int32, alg=seeds.ALGORITHM)

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Move image i down by `drawn[i, 0]` rows and right by `drawn[i, 1]` columns."""
        height, width = images.shape[1:3]
        images = tf.gather(images, _reflected(height, drawn[:, 0]), axis=1, batch_dims=1)
        return tf.gather(images, _reflected(width, drawn[:, 1]), axis=2, batch_dims=1)

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "max_pixels": self.max_pixels}


def _reflected(size: int, moved: tf.Tensor) -> tf.Tensor:
    """int32 [B, size]: for each place the index that it takes its pixel from, mirrored without repeating the edge."""
    index = tf.abs(tf.range(size)[None, :] - moved[:, None])
    return size - 1 - tf.abs(size - 1 - index)
