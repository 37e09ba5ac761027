"""Evaluation of a single view and averaged with the mirror image."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.evaluation import Evaluator
from models.train_config import TrainConfig


class LeftHalf(keras.layers.Layer):
    """Logits that speak for class 1 as far as the left half is bright, for class 0 by a constant."""

    def call(self, images):
        brightness = tf.reduce_mean(images[:, :, : images.shape[2] // 2], axis=(1, 2, 3))
        return tf.stack([tf.fill(tf.shape(brightness), 0.4), brightness, *[tf.zeros_like(brightness)] * 98], axis=1)


def test_mirror_image_is_averaged_in():
    images = keras.Input((4, 4, 3))
    model = keras.Model(images, {"fine": LeftHalf()(images)})
    left_bright = np.zeros((1, 4, 4, 3), np.float32)
    left_bright[:, :, :2] = 1.0
    batches = [
        {
            "image": np.concatenate([left_bright, left_bright[:, :, ::-1]]),
            "fine": np.int32([1, 1]),
            "coarse": np.int32([0, 0]),
            "mask": np.array([True, True]),
        }
    ]
    train = TrainConfig(heads="fine")
    stream = tf.data.Dataset.from_generator(
        lambda: batches,
        output_signature={name: tf.TensorSpec(value.shape, value.dtype) for name, value in batches[0].items()},
    )
    assert Evaluator(model, train)(stream, 2)["fine_accuracy"] == 0.5  # the right-bright one is class 0
    assert Evaluator(model, train, flip_average=True)(stream, 2)["fine_accuracy"] == 1.0  # both have 0.5 > 0.4 now
    with pytest.raises(RuntimeError, match="evaluated 2 examples, expected 3"):
        Evaluator(model, train)(stream, 3)
