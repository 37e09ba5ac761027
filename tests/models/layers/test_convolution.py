"""The kernel gradient of small maps is the one that TensorFlow computes, and it is used where it pays alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import convolution
from models.layers.convolution import Convolution
from models.runtime import precision


def images_and_upstream(size, channels, filters):
    random = np.random.default_rng(size)
    images = tf.constant(random.normal(size=(6, size, size, channels)), tf.float32)
    upstream = tf.constant(random.normal(size=(6, size, size, filters)), tf.float32)
    return images, upstream


def as_bfloat16(values):
    return tf.cast(tf.cast(values, tf.bfloat16), tf.float32)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [(1, 1), (2, 2), (3, 3), (5, 5), (3, 1)])
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_kernel_gradient_is_tensorflows(size, kernel_size, stride, padding):
    if padding == "VALID" and size < max(kernel_size):
        pytest.skip("there is no such convolution")
    images, upstream = images_and_upstream(size, 4, 7)
    num_outputs = tf.nn.conv2d(images, tf.zeros([*kernel_size, 4, 7]), stride, padding).shape[1:3]
    upstream = upstream[:, : num_outputs[0], : num_outputs[1]]
    expected = tf.raw_ops.Conv2DBackpropFilter(  # in float64, which oneDNN does not compute
        input=tf.cast(images, tf.float64),
        filter_sizes=[*kernel_size, 4, 7],
        out_backprop=tf.cast(upstream, tf.float64),
        strides=[1, stride, stride, 1],
        padding=padding,
    )
    gradient = convolution.kernel_gradient(images, upstream, kernel_size, stride, padding)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, (3, 1)])
@pytest.mark.parametrize("size", [(7, 7), (31, 31), (8, 8), (5, 8), (3, 3)])
def test_even_outputs_are_what_a_pooling_takes_of_all(size, kernel_size, policy):
    random = np.random.default_rng(1)
    images = tf.constant(random.normal(size=(4, *size, 3)), tf.float32)
    with precision.scope(policy):
        every, even = Convolution(5, kernel_size), Convolution(5, kernel_size, even_outputs=True)
        for layer in (every, even):
            layer.build(images.shape)
            layer.kernel.assign(np.random.default_rng(2).normal(size=layer.kernel.shape))
        # Of two rounded values that are nearly equal, a maximum takes another one, and its gradient another way.
        pooling = keras.layers.AveragePooling2D(2)
    found = []
    for layer in (every, even):
        with tf.GradientTape() as tape:
            tape.watch(images)
            pooled = pooling(layer(images))
            objective = tf.reduce_sum(tf.square(tf.cast(pooled, tf.float32)))
        found.append([tf.cast(pooled, tf.float32), *tape.gradient(objective, [images, layer.kernel.value])])
    assert even(images).shape == even.compute_output_shape(images.shape)
    assert even(images).shape[1:3] == tuple(length // 2 * 2 for length in size)
    tolerance = 0.01 if policy == "float32" else 0.02  # bfloat16 rounds by up to 0.4 %, forward and backward
    for of_every, of_even in zip(*found, strict=True):
        assert np.linalg.norm(of_even - of_every) <= tolerance * np.linalg.norm(of_every)


def test_even_outputs_of_images_of_unknown_size():
    images = keras.Input((None, None, 3))
    model = keras.Model(images, Convolution(5, 3, even_outputs=True)(images))
    assert model.output_shape == (None, None, None, 5)
    signature = tf.TensorSpec([None, None, None, 3], tf.float32)
    answer = tf.function(model).get_concrete_function(signature)(tf.ones([2, 7, 9, 3]))
    np.testing.assert_allclose(answer, model(tf.ones([2, 7, 9, 3])), rtol=1e-5)
    assert answer.shape == (2, 6, 8, 5)


@pytest.mark.parametrize(("of_keras", "shape"), [({"dilation_rate": 2}, (2, 6, 8, 5)), ({"strides": 2}, (2, 4, 4, 5))])
def test_even_outputs_of_what_keras_alone_convolves(of_keras, shape):
    layer = Convolution(5, 3, even_outputs=True, **of_keras)
    assert layer(tf.ones([2, 7, 9, 3])).shape == shape == layer.compute_output_shape((2, 7, 9, 3))


@pytest.mark.parametrize(("size", "kernel_size", "stride"), [(3, 3, 1), (7, 2, 1), (8, 3, 2), (15, 3, 2)])
def test_layer_trains_as_conv2d_does(size, kernel_size, stride):
    """The reference computes in float32 on the same values: some processors' stock bfloat16 gradients are 2 % off."""
    images, upstream = map(as_bfloat16, images_and_upstream(size, 8, 16))
    upstream = upstream[:, ::stride, ::stride]
    with precision.scope("mixed_bfloat16"):
        ours = Convolution(16, kernel_size, strides=stride)
    with precision.scope("float32"):
        stock = keras.layers.Conv2D(16, kernel_size, strides=stride, padding="same", use_bias=False)
    for layer in (ours, stock):
        layer.build(images.shape)
        layer.kernel.assign(as_bfloat16(ours.kernel))
    found = []
    for layer in (ours, stock):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
            objective = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
        found.append([tf.cast(outputs, tf.float32), *tape.gradient(objective, [images, layer.kernel.value])])
    for own, expected in zip(*found, strict=True):
        assert np.linalg.norm(own - expected) <= 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize("channels", [1, 4, 7, 8])
@pytest.mark.parametrize(("size", "stride"), [(8, 2), (15, 3), (7, 2)])
def test_strided_layer_of_few_channels_has_the_right_gradient(size, stride, channels):
    images = images_and_upstream(size, channels, 1)[0]
    layer = Convolution(7, 1, strides=stride)
    with tf.GradientTape() as tape:
        outputs = layer(images)
        objective = tf.reduce_sum(tf.square(outputs))
    gradient = tape.gradient(objective, layer.kernel.value)
    seen = tf.reshape(tf.cast(images, tf.float64)[:, ::stride, ::stride], [-1, channels])
    kernel = tf.cast(layer.kernel[0, 0], tf.float64)
    expected = 2 * tf.matmul(seen, tf.matmul(seen, kernel), transpose_a=True)
    np.testing.assert_allclose(gradient[0, 0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("policy", "size", "kernel_size", "stride", "batch_size", "is_used"),
    [
        ("mixed_bfloat16", 8, 3, 1, 4, True),
        ("mixed_bfloat16", 8, 1, 1, 4, False),
        ("mixed_bfloat16", 9, 3, 1, 4, False),
        ("mixed_bfloat16", 16, 3, 2, 4, True),
        ("mixed_bfloat16", 16, 1, 2, 4, False),
        ("mixed_bfloat16", 17, 3, 2, 4, False),
        ("mixed_bfloat16", 16, 3, (2, 1), 4, False),
        ("mixed_bfloat16", 8, 3, 1, None, False),
        ("mixed_float16", 8, 3, 1, 4, False),
        ("float32", 8, 3, 1, 4, False),
    ],
)
def test_own_gradient_is_used_where_it_pays(monkeypatch, policy, size, kernel_size, stride, batch_size, is_used):
    calls = []
    used = convolution.convolved
    monkeypatch.setattr(convolution, "convolved", lambda *given: calls.append(given) or used(*given))
    with precision.scope(policy):
        layer = Convolution(2, kernel_size, strides=stride)
    signature = tf.TensorSpec([batch_size, size, size, 3], tf.float32)
    tf.function(lambda images: layer(images)).get_concrete_function(signature)
    assert bool(calls) == is_used


@pytest.mark.parametrize(
    ("policy", "size", "kernel_size", "stride", "batch_size", "even_outputs", "is_used"),
    [
        ("mixed_bfloat16", 3, 3, 1, 4, False, True),
        ("mixed_bfloat16", 2, 3, 1, 4, True, True),
        ("mixed_bfloat16", 3, 3, 1, 4, True, False),
        ("mixed_bfloat16", 4, 3, 1, 4, False, False),
        ("mixed_bfloat16", 3, 1, 1, 4, False, False),
        ("mixed_bfloat16", 3, 3, 2, 4, False, False),
        ("mixed_bfloat16", 3, 3, 1, None, False, False),
        ("float32", 3, 3, 1, 4, False, False),
    ],
)
def test_products_by_pixel_are_used_where_they_pay(
    monkeypatch, policy, size, kernel_size, stride, batch_size, even_outputs, is_used
):
    calls = []
    used = convolution.convolved_by_pixel
    monkeypatch.setattr(convolution, "convolved_by_pixel", lambda *given: calls.append(given) or used(*given))
    with precision.scope(policy):
        layer = Convolution(2, kernel_size, strides=stride, even_outputs=even_outputs)
    signature = tf.TensorSpec([batch_size, size, size, 3], tf.float32)
    tf.function(lambda images: layer(images)).get_concrete_function(signature)
    assert bool(calls) == is_used


@pytest.mark.parametrize("kernel_size", [2, 3])
def test_own_gradient_is_used_with_even_outputs_too(monkeypatch, kernel_size):
    calls = []
    used = convolution.convolved
    monkeypatch.setattr(convolution, "convolved", lambda *given: calls.append(given) or used(*given))
    with precision.scope("mixed_bfloat16"):
        layer = Convolution(2, kernel_size, even_outputs=True)
    assert layer(tf.zeros([4, 7, 8, 3])).shape == (4, 6, 8, 2)
    assert calls


def test_dilated_convolution_is_kerass(monkeypatch):
    monkeypatch.setattr(convolution, "convolved", lambda *given: pytest.fail("not dilated"))
    with precision.scope("mixed_bfloat16"):
        assert Convolution(2, 3, dilation_rate=2)(tf.zeros([4, 8, 8, 3])).shape == (4, 8, 8, 2)


def test_gpus_compute_their_own_gradient(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    monkeypatch.setattr(convolution, "convolved", lambda *given: pytest.fail("not for GPUs"))
    with precision.scope("mixed_bfloat16"):
        assert Convolution(2, 3)(tf.zeros([4, 8, 8, 3])).shape == (4, 8, 8, 2)


def test_channels_are_always_last():
    assert Convolution(2, 3, data_format="channels_first").data_format == "channels_last"


def test_layer_is_saved_with_a_model(tmp_path):
    images = keras.Input((4, 4, 3))
    model = keras.Model(images, Convolution(5, 3, "ones", even_outputs=True)(images))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[-1], Convolution)
    assert loaded.layers[-1].even_outputs
    np.testing.assert_array_equal(loaded(tf.ones([1, 4, 4, 3])), model(tf.ones([1, 4, 4, 3])))
