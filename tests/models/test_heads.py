"""Heads of any shape, each its own, and a last block shared or not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import classifier
from models.config.training import TrainConfig
from pipeline.common import errors
from tests.descriptions import CIFAR100

SHAPED = {
    "fine_hidden_layers": 2,
    "fine_hidden_units": 48,
    "fine_dropout": 0.5,
    "coarse_hidden_layers": 1,
    "coarse_hidden_units": 16,
    "coarse_l2": 0.01,
}
SMALL_FAST = {"architecture": "speedrun", "widths": "8,8,16", "bottlenecks": "8,8,16"}


def built(**values) -> keras.Model:
    return classifier.build(TrainConfig(**{"precision": "float32", **values}), CIFAR100)


def shape(variable: keras.Variable) -> tuple[int, ...]:
    return tuple(variable.shape)


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


def test_each_head_has_its_own_hidden_layers():
    model = built(**SHAPED)
    shapes = {layer.name: layer.kernel.shape for layer in model.layers if isinstance(layer, keras.layers.Dense)}
    assert shapes == {
        "fine_hidden_1": (256, 48),
        "fine_hidden_2": (48, 48),
        "fine_logits": (48, 100),
        "coarse_hidden_1": (256, 16),
        "coarse_logits": (16, 20),
    }


def test_hidden_layers_compute_in_the_policy_and_logits_in_float32():
    model = built(**SHAPED, precision="mixed_bfloat16")
    dtypes = {layer.name: layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Dense)}
    assert {name for name, dtype in dtypes.items() if dtype == "float32"} == {"fine_logits", "coarse_logits"}
    assert set(dtypes.values()) == {"float32", "bfloat16"}
    assert {answer.dtype for answer in model(images()).values()} == {tf.float32}


def test_penalty_is_of_the_one_heads_kernels():
    model = built(**SHAPED)
    kernels = [model.get_layer(name).kernel for name in ("coarse_hidden_1", "coarse_logits")]
    expected = 0.01 * sum(float(tf.reduce_sum(tf.square(kernel))) for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
    assert not built().losses


def test_dropout_is_of_the_one_head_and_of_training_alone():
    model = built(**SHAPED)
    once, again = (model(images(), training=True) for _ in range(2))
    assert np.abs(once["fine"] - again["fine"]).max() > 0.0
    np.testing.assert_array_equal(once["coarse"], again["coarse"])
    np.testing.assert_array_equal(model(images())["fine"], model(images())["fine"])


@pytest.mark.parametrize("network", [{}, SMALL_FAST])
def test_separate_blocks_learn_from_their_own_labels_alone(network):
    shared, separate = built(**network), built(**network, separate_blocks=True)
    assert len(separate.trainable_variables) > len(shared.trainable_variables)
    for name in ("fine", "coarse"):
        single = built(**network, heads=name)
        with tf.GradientTape() as tape:
            objective = tf.reduce_sum(tf.square(separate(images(), training=True)[name]))
        gradients = tape.gradient(objective, [variable.value for variable in separate.trainable_variables])
        reached = [
            variable
            for variable, gradient in zip(separate.trainable_variables, gradients, strict=True)
            if gradient is not None
        ]
        assert sorted(map(shape, reached)) == sorted(map(shape, single.trainable_variables))


def test_separate_blocks_of_one_head_are_an_error():
    with pytest.raises(errors.BadArgumentError, match=r"separate_blocks=True: .*--heads=both"):
        built(heads="fine", separate_blocks=True)
