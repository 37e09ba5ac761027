"""The fused layer against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.batch_norm import FusedBatchNormalization


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


def test_single_value_has_no_variance_and_stays_finite():
    """The unbiased variance of one value is 0 / 0: pytorch/pytorch#1381."""
    layer = FusedBatchNormalization()
    outputs = layer(np.ones((1, 1, 1, 4), np.float32), training=True)
    assert not np.any(outputs)
    assert all(np.isfinite(value).all() for value in layer.get_weights())
