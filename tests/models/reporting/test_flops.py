"""Multiply-adds, of networks and of their optimizer."""

import pytest

from models.config.training import TrainConfig
from models.optimizers import newton_schulz
from models.reporting import flops
from tests.models.architectures.networks import built


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
