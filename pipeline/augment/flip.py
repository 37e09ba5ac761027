"""Mirror images, each by its own coin."""

import keras
import tensorflow as tf

from pipeline import seeds
from pipeline.augment.layer import Augmentation


@keras.saving.register_keras_serializable("streaming_cifar100")
class HorizontalFlip(Augmentation):
    """Left for right, with probability one half."""

    def draw(self, seed: tf.Tensor, num_images: tf.Tensor) -> tf.Tensor:
        """Bool [B]: which images are mirrored."""
        return tf.random.stateless_uniform([num_images], seed, alg=seeds.ALGORITHM) < 0.5

    def apply(self, images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        """Mirror the images whose `drawn` is True."""
        return tf.where(drawn[:, None, None, None], images[:, :, ::-1], images)
