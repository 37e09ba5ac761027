"""Our activation answers and trains as Keras's does; XLA computes its gradient where that pays alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers.activation import Activation
from models.runtime import precision


def outputs_and_gradient(layer, inputs, upstream):
    @tf.function
    def differentiated():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        return outputs, tape.gradient(outputs, inputs, tf.cast(upstream, outputs.dtype))

    return [tf.cast(value, tf.float32).numpy() for value in differentiated()]


def xla_programs(layer, dtype=tf.bfloat16):
    """How many the gradient of a layer has."""

    @tf.function
    def gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        return tape.gradient(outputs, inputs)

    graph = gradient.get_concrete_function(tf.TensorSpec([2, 4, 4, 3], dtype)).graph
    functions = graph.as_graph_def().library.function
    return sum(function.attr["_XlaMustCompile"].b for function in functions)


@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_outputs_are_kerass_and_gradients_are_exact_ones_rounded_once(name):
    random = np.random.default_rng(0)
    inputs, upstream = (tf.constant(random.normal(size=(3, 5, 5, 4)) * 3, tf.float32) for _ in range(2))
    inputs, upstream = (tf.cast(tf.cast(value, tf.bfloat16), tf.float32) for value in (inputs, upstream))
    with precision.scope("mixed_bfloat16"):
        ours, stock = Activation(name), keras.layers.Activation(name)
    found, gradient = outputs_and_gradient(ours, tf.cast(inputs, tf.bfloat16), upstream)
    stock_outputs, _ = outputs_and_gradient(stock, tf.cast(inputs, tf.bfloat16), upstream)
    np.testing.assert_array_equal(found, stock_outputs)
    _, exact = outputs_and_gradient(keras.layers.Activation(name, dtype="float32"), inputs, upstream)
    np.testing.assert_allclose(gradient, exact, rtol=2.0**-8, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "policy", "compiled", "num_programs"),
    [
        ("silu", "mixed_bfloat16", True, 1),
        ("silu", "mixed_bfloat16", False, 0),
        ("silu", "float32", True, 0),
        ("silu", "mixed_float16", True, 0),
        ("gelu", "mixed_bfloat16", True, 1),
        ("elu", "mixed_bfloat16", True, 0),
    ],
)
def test_xla_is_used_where_it_pays(name, policy, compiled, num_programs):
    with precision.scope(policy):
        layer = Activation(name, compiled)
    assert xla_programs(layer, layer.compute_dtype) == num_programs


def test_gpus_compute_their_own_gradient(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    with precision.scope("mixed_bfloat16"):
        assert xla_programs(Activation("silu")) == 0


def test_layer_is_saved_with_a_model(tmp_path):
    images = keras.Input((4, 4, 3))
    model = keras.Model(images, Activation("elu", compiled=False)(images))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[-1], Activation)
    assert not loaded.layers[-1].compiled
    np.testing.assert_array_equal(loaded(-tf.ones([1, 4, 4, 3])), model(-tf.ones([1, 4, 4, 3])))
