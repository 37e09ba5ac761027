"""Every optimizer of `--optimizer`: it learns, spares what must not decay, and comes back from a checkpoint."""

import keras
import numpy as np
import pytest

from models import classifier
from models.config.training import TrainConfig
from models.optimizers.build import build_optimizer
from models.optimizers.config import OPTIMIZERS
from models.runs import checkpoints
from models.training.step import TrainStep
from pipeline.data_config import DataConfig
from tests.descriptions import CIFAR100

# Rates at which each one learns within a dozen steps; those of a real run are lower.
RATES = {"sgd": 0.1, "muon": 0.1, "adagrad": 0.1, "adadelta": 20.0}
OF_THE_STUDY = {"adam", "sgd", "rmsprop", "adagrad", "adadelta", "adamax", "nadam"}


def tiny(optimizer: str, **values) -> tuple[keras.Model, keras.optimizers.Optimizer, TrainStep]:
    config = TrainConfig(
        **{
            "architecture": "original_cnn",
            "first_filters": 4,
            "precision": "float32",
            "optimizer": optimizer,
            "learning_rate": RATES.get(optimizer, 0.005),
            "schedule": "constant",
            "logit_scale": 1.0,
            "jit_compile": "off",
            **values,
        }
    )
    model = classifier.build(config, CIFAR100)
    built = build_optimizer(config, model.trainable_variables)
    return model, built, TrainStep(model, built, DataConfig(augmentation="none"), CIFAR100, config, total_steps=100)


def trained(step: TrainStep, numbers: range) -> float:
    """The loss of the last of the steps, each on the same eight images."""
    generator = np.random.default_rng(0)
    batch = {
        "image": generator.integers(0, 256, (8, 32, 32, 3), np.uint8),
        "fine": np.arange(8, dtype=np.int32),
        "coarse": np.arange(8, dtype=np.int32),
        "index": np.arange(8),
        "pass_number": np.zeros(8, np.int64),
    }
    for number in numbers:
        step.metric_totals.assign(np.zeros(step.metric_totals.shape))
        step(batch, number)
    return float(step.metric_totals[1] / step.metric_totals[0])


def test_the_studys_seven_are_there_beside_muon():
    assert {*OF_THE_STUDY, "muon"} == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_learns_and_goes_on_from_a_checkpoint_as_if_it_had_never_stopped(name, tmp_path):
    model, optimizer, step = tiny(name)
    first = trained(step, range(1))
    trained(step, range(1, 8))
    path = tmp_path / "state.npz"
    checkpoints.save(path, [*model.variables, *optimizer.variables], checkpoints.Progress(step=8))
    last = trained(step, range(8, 12))
    assert last < 0.8 * first

    other, other_optimizer, other_step = tiny(name, seed=1)
    checkpoint = checkpoints.load(path)
    checkpoint.restore([*other.variables, *other_optimizer.variables])
    assert checkpoint.progress.step == int(other_optimizer.iterations) == 8
    assert trained(other_step, range(8, 12)) == last
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_moves_kernels_alone(name):
    names = ("kernel", "bias", "gamma", "beta")
    variables = [keras.Variable(np.ones((2, 3) if kind == "kernel" else 3, np.float32), name=kind) for kind in names]
    config = TrainConfig(optimizer=name, learning_rate=0.1, weight_decay=0.5)
    optimizer = build_optimizer(config, variables)
    before = [variable.numpy() for variable in variables]
    optimizer.apply([keras.ops.zeros_like(variable) for variable in variables], variables)
    moved = {kind for kind, value, one in zip(names, before, variables, strict=True) if (one.numpy() != value).any()}
    assert moved == {"kernel"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float16_wraps_every_optimizer_for_loss_scaling(name):
    variables = [keras.Variable(np.ones(3, np.float32))]
    plain = build_optimizer(TrainConfig(optimizer=name), variables)
    wrapped = build_optimizer(TrainConfig(optimizer=name, precision="mixed_float16"), variables)
    assert isinstance(wrapped, keras.optimizers.LossScaleOptimizer)
    assert type(wrapped.inner_optimizer) is type(plain)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_is_the_one_of_that_name_at_the_configurations_rate(name):
    config = TrainConfig(optimizer=name, learning_rate=0.25)
    optimizer = build_optimizer(config, [keras.Variable(np.ones(3, np.float32))])
    assert type(optimizer).__name__.removeprefix("Fused").lower() == name
    assert float(optimizer.learning_rate) == 0.25
