"""Multiply-adds, of networks and of their optimizer."""

import keras
import pytest
import tensorflow as tf

from models.config.training import TrainConfig
from models.optimizers import newton_schulz
from models.optimizers.build import build_optimizer
from models.reporting import flops
from models.training.step import TrainStep
from pipeline.data_config import DataConfig
from tests.models.architectures.networks import CIFAR100, built


def test_multiply_adds_of_a_known_network():
    model = built(architecture="baseline", heads="fine")
    expected = 3 * 9 * 32 * 30 * 30 + 32 * 9 * 64 * 28 * 28 + 50_176 * 128 + 128 * 100
    assert flops.multiply_adds(model, 32) == expected
    assert flops.train_petaflop(model, TrainConfig(), {32: 1000}) == pytest.approx(6 * expected * 1000 / 1e15)


def test_multiply_adds_follow_the_resolution():
    model = built(heads="fine")
    convolutions = [3 * 32, 32 * 32, 32 * 96, 96 * 96, 96 * 256, 256 * 256]

    def expected(*pixels_a_side: int) -> int:
        return sum(9 * n * side**2 for n, side in zip(convolutions, pixels_a_side, strict=True)) + 256 * 100

    assert flops.multiply_adds(model, 32) == flops.multiply_adds(model, 32) == expected(32, 32, 16, 8, 8, 4)
    assert flops.multiply_adds(model, 20) == expected(20, 20, 10, 5, 5, 2)
    images = {20: 1000, 32: 500}
    both = sum(flops.multiply_adds(model, size) * number for size, number in images.items())
    assert flops.train_petaflop(model, TrainConfig(), images) == pytest.approx(6 * both / 1e15)
    assert flops.train_petaflop(model, TrainConfig(sam_radius=0.1), images) == pytest.approx(12 * both / 1e15)


def test_muons_products_are_counted_apart():
    model = built(architecture="speedrun", widths="8,8,8", bottlenecks="8,8,8", whitening=False)
    kernels = [variable.shape for variable in model.trainable_variables if len(variable.shape) == 4]
    assert len(kernels) == 10
    products = sum(newton_schulz.multiply_adds(tuple(kernel), 3) for kernel in kernels)
    assert newton_schulz.multiply_adds((3, 3, 8, 8), 3) == 2 * 8 * 8 * 72 + 9 * 8**3
    config_of_run = TrainConfig(optimizer="muon", muon_iterations=3)
    assert flops.optimizer_petaflop(model, config_of_run, 100) == pytest.approx(2 * products * 100 / 1e15)
    assert flops.optimizer_petaflop(model, TrainConfig(), 100) == 0.0


def test_gradients_that_nothing_needs_are_not_executed():
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(images)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    model = keras.Model(images, keras.layers.Dense(5)(keras.layers.Flatten()(x)))
    convolution, depthwise, dense = 27 * 4 * 16, 9 * 4 * 16, 64 * 5
    first_has_no_image_gradient = 2 * convolution + 3 * (depthwise + dense)
    assert flops.executed_multiply_adds(model, 8, batch_size=7) == 7 * first_has_no_image_gradient
    model.layers[1].trainable = False
    assert flops.executed_multiply_adds(model, 8, batch_size=7) == 7 * (convolution + 2 * depthwise + 3 * dense)


def test_padding_is_left_out_of_what_is_executed_alone():
    network = {"architecture": "speedrun", "widths": "8,8,64", "bottlenecks": "8,8,8", "whitening": False}
    plain, smaller = (built(**network, precision=precision) for precision in ("float32", "mixed_bfloat16"))
    assert flops.multiply_adds(plain, 32) == flops.multiply_adds(smaller, 32)
    first_has_no_image_gradient = 3 * flops.multiply_adds(plain, 32) - 27 * 8 * 32**2
    assert flops.executed_multiply_adds(plain, 32, 4) <= 4 * first_has_no_image_gradient
    assert flops.executed_multiply_adds(smaller, 32, 4) < 0.99 * flops.executed_multiply_adds(plain, 32, 4)


@pytest.mark.parametrize("optimizer", ["muon", "sgd"])
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "float32"])
@pytest.mark.parametrize("widths", ["8,16,16", "16,8,8"])
def test_the_step_multiplies_what_is_reported(widths, precision, optimizer):
    """All of a traced step's convolutions, products and their gradients, those of the optimizer included."""
    values = {"architecture": "speedrun", "precision": precision, "widths": widths, "bottlenecks": "8,8,8"}
    model = built(**values)
    config = TrainConfig(optimizer=optimizer)
    made = build_optimizer(config, model.trainable_variables)
    step = TrainStep(model, made, DataConfig(batch_size=6), CIFAR100, config, total_steps=10)
    labels = {name: tf.TensorSpec([6], tf.int32) for name in ("fine", "coarse")}
    graph = tf.function(step._updated).get_concrete_function(tf.TensorSpec([6, 24, 24, 3]), labels).graph
    executed = flops.graph_multiply_adds([*graph.control_outputs, *(output.op for output in graph.outputs)])
    of_metrics = 6 * 100 * 20  # fine probabilities, summed by superclass
    of_optimizer = flops.optimizer_petaflop(model, config, num_steps=1)
    assert (of_optimizer > 0) == (optimizer == "muon")
    reported = flops.executed_petaflop(model, config, {24: 6}, batch_size=6) + of_optimizer
    assert 2 * (executed - of_metrics) / 1e15 == pytest.approx(reported, rel=1e-9)
