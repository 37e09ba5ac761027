"""The fused layer against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.batch_norm import FusedBatchNormalization
from models.layers.pixel_scaling import PixelScaling


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(2.0, 3.0, (16, 8, 8, 4)).astype(np.float32)


def test_equals_keras_in_training_and_inference(inputs):
    ours, theirs = FusedBatchNormalization(momentum=0.6), keras.layers.BatchNormalization(momentum=0.6, epsilon=1e-3)
    for _ in range(3):
        np.testing.assert_allclose(ours(inputs, training=True), theirs(inputs, training=True), atol=1e-5)
    # Keras remembers the variance of the batch, the fused op the unbiased one: n / (n - 1) of it.
    size = inputs[..., 0].size
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-5)
    remembered = theirs.moving_variance - 0.6**3
    np.testing.assert_allclose(ours.moving_variance - 0.6**3, remembered * size / (size - 1), rtol=1e-4)
    theirs.moving_variance.assign(ours.moving_variance)
    np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-5)


def test_gradients_equal_keras(inputs):
    def gradients(layer):
        x = tf.constant(inputs)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x, training=True)))
        return tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    ours, theirs = FusedBatchNormalization(), keras.layers.BatchNormalization()
    for layer in (ours, theirs):
        layer.build(inputs.shape)
    for one, two in zip(gradients(ours), gradients(theirs), strict=True):
        np.testing.assert_allclose(one, two, atol=2e-3)


@pytest.mark.parametrize(("policy", "compute"), [("mixed_bfloat16", tf.bfloat16), ("mixed_float16", tf.float16)])
def test_statistics_stay_float32_in_half_precision(inputs, policy, compute):
    layer = FusedBatchNormalization(dtype=policy)
    assert layer(inputs, training=True).dtype == compute
    assert {variable.dtype for variable in layer.variables} == {"float32"}
    np.testing.assert_allclose(layer.moving_mean, 0.4 * inputs.mean((0, 1, 2)), rtol=2e-2)


def test_pixel_scaling_by_both_methods():
    pixels = np.array([[[[0, 128, 255]]]], np.uint8)
    np.testing.assert_allclose(PixelScaling("unit")(pixels), [[[[0, 128 / 255, 1]]]], rtol=1e-6)
    expected = [[[[-129.304 / 68.170, (128 - 124.070) / 65.392, (255 - 112.434) / 70.418]]]]
    np.testing.assert_allclose(PixelScaling("standardise")(pixels), expected, rtol=1e-5)


@pytest.mark.real_data
def test_pixel_statistics_are_those_of_the_training_images(real_data_dir):
    from models.layers import batch_norm
    from pipeline import source, stages
    from pipeline.data_config import SourceConfig

    builder = source.open_builder(SourceConfig(data_dir=real_data_dir))
    images = stages.in_memory(stages.Decode()(source.read(builder, "train")), 50_000)["image"].numpy()
    np.testing.assert_allclose(images.mean((0, 1, 2)), batch_norm.CHANNEL_MEAN, atol=0.01)
    np.testing.assert_allclose(images.std((0, 1, 2)), batch_norm.CHANNEL_DEVIATION, atol=0.01)
