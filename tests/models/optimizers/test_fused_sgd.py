"""The fused step is Keras's own to the last bit, with weight decay too; under loss scaling and XLA but for rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.optimizers.fused_sgd import FusedSGD


def stepped(kind, given, wrap=lambda optimizer: optimizer, jit_compile=None):
    random = np.random.default_rng(0)
    variables = [keras.Variable(random.normal(size=shape), dtype="float32", name="v") for shape in [(3, 3, 4, 5), (5,)]]
    optimizer = wrap(kind(0.1, **given))
    optimizer.build(variables)

    @tf.function(jit_compile=jit_compile)
    def step(gradients):
        optimizer.apply(gradients)

    for _ in range(5):
        step([tf.constant(random.normal(size=variable.shape), tf.float32) for variable in variables])
    return [variable.numpy() for variable in variables], [value.numpy() for value in optimizer.variables]


@pytest.mark.parametrize(
    "given",
    [
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9},
        {},
    ],
)
def test_weights_and_momenta_are_those_of_keras(given):
    for ours, kerass in zip(stepped(FusedSGD, given), stepped(keras.optimizers.SGD, given), strict=True):
        for one, two in zip(ours, kerass, strict=True):
            np.testing.assert_array_equal(one, two)


def test_step_is_one_operation_a_variable():
    variables = [keras.Variable(np.ones(3, np.float32)) for _ in range(2)]
    optimizer = FusedSGD(0.1, momentum=0.9, nesterov=True)
    optimizer.build(variables)
    graph = tf.function(lambda: optimizer.apply([tf.ones(3)] * 2)).get_concrete_function().graph
    assert [operation.type for operation in graph.get_operations()].count("ResourceApplyKerasMomentum") == 2


@pytest.mark.parametrize(
    "how", [{"jit_compile": True}, {"wrap": lambda optimizer: keras.optimizers.LossScaleOptimizer(optimizer, 2.0)}]
)
def test_xla_and_loss_scaling_step_as_they_do_with_kerass(how):
    given = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
    ours, kerass = stepped(FusedSGD, given, **how), stepped(keras.optimizers.SGD, given, **how)
    for one, two in zip(ours[0], kerass[0], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-7)


def test_optimizer_is_made_again_from_its_configuration():
    optimizer = FusedSGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, FusedSGD)
    assert (again.momentum, again.nesterov, again.weight_decay) == (0.9, True, 0.01)
