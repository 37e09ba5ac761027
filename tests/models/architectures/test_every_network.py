"""What every network does: answers, precision, seeds, saving and one step of training."""

import concurrent.futures
import dataclasses
import multiprocessing

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import classifier
from models.architectures import BUILDERS
from models.config.training import TrainConfig
from models.optimizers.build import build_optimizer
from models.training.evaluation import Evaluator
from models.training.step import TrainStep
from pipeline.common import config, errors
from pipeline.data_config import DataConfig
from tests.descriptions import CIFAR100
from tests.models.architectures.networks import LARGE, built


def test_linear_model_is_one_matrix_a_head():
    assert built(architecture="linear").count_params() == 3072 * 120 + 120


@pytest.mark.parametrize("architecture", sorted({*BUILDERS} - {*LARGE}))
@pytest.mark.parametrize(("heads", "expected"), [("both", {"fine": 100, "coarse": 20}), ("coarse", {"coarse": 20})])
def test_heads_answer_float32_logits_in_half_precision(architecture, heads, expected):
    model = built(architecture=architecture, heads=heads, precision="mixed_bfloat16")
    logits = model(np.zeros((2, 32, 32, 3), np.uint8))
    assert {name: value.shape[1] for name, value in logits.items()} == expected
    assert {value.dtype for value in logits.values()} == {tf.float32}


def test_trunk_computes_in_the_policy_even_after_clear_session():
    keras.utils.clear_session()
    model = built(precision="mixed_bfloat16")
    trunk = [layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert trunk == ["bfloat16"] * len(trunk)
    assert len(trunk) == 6
    assert {variable.dtype for variable in model.variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_pixels_reach_the_scaling_unrounded_under_half_precision():
    model = built(architecture="linear", precision="mixed_bfloat16")
    tap = keras.Model(model.input, model.layers[1].output)
    pixels = np.full((1, 32, 32, 3), 201.3, np.float32)  # bfloat16 would make it 201.0 or 202.0
    expected = (201.3 - np.array([129.304, 124.070, 112.434])) / np.array([68.170, 65.392, 70.418])
    np.testing.assert_allclose(tap(pixels)[0, 0, 0], expected, rtol=1e-5)


def test_same_seed_same_weights():
    first, second, other = built(seed=1), built(seed=1), built(seed=2)
    for one, two in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((one != two).any() for one, two in zip(first.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("values", [{}, {"architecture": "speedrun", "activation": "silu"}])
def test_saved_model_answers_the_same(tmp_path, values):
    model = built(precision="mixed_bfloat16", **values)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images)["fine"], model(images)["fine"])


def test_pooling_networks_take_any_size_and_flattening_ones_do_not():
    images = np.zeros((2, 20, 20, 3), np.uint8)
    assert built()(images)["fine"].shape == (2, 100)
    assert BUILDERS["resnet9"].takes_any_size
    assert not BUILDERS["linear"].takes_any_size


def test_unresolved_precision_is_refused():
    with pytest.raises(errors.BadArgumentError, match="resolve it"):
        built(precision="auto")


def trained_a_step(size: int, **values) -> tuple[keras.Model, list[np.ndarray], TrainConfig]:
    """A network after one step on images of a size, and its weights before."""
    train = config.build(TrainConfig, values)  # some have no dropout
    description = dataclasses.replace(CIFAR100, image_size=size)
    model = classifier.build(train, description)
    optimizer = build_optimizer(train, model.trainable_variables)
    step = TrainStep(model, optimizer, DataConfig(augmentation="flip_crop"), description, train, total_steps=2)
    before = [variable.numpy() for variable in model.trainable_variables]
    step(batch(size), 0)
    return model, before, train


def batch(size: int) -> dict[str, np.ndarray]:
    return {
        "image": np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8),
        "fine": np.array([3, 4], np.int32),
        "coarse": np.array([1, 2], np.int32),
        "index": np.arange(2),
        "pass_number": np.zeros(2, np.int64),
    }


ADAM = {"jit_compile": "off", "optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant"}


@pytest.mark.parametrize("architecture", sorted({*BUILDERS} - {*LARGE, "resnet18", "wide_resnet"}))
def test_every_network_trains_a_step_in_bfloat16(architecture):
    values = {"architecture": architecture, "precision": "mixed_bfloat16", "dropout": 0.1, **ADAM}
    model, before, _ = trained_a_step(32, **values)
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(variable.numpy()).all()
        assert (variable.numpy() != value).any(), variable.path


POOLING = sorted(name for name, one in BUILDERS.items() if one.takes_any_size)
OF_SIZES = [
    # The others take minutes together.
    pytest.param(name, size, marks=() if (name, size) in {("resnet9", 64), ("speedrun", 224)} else pytest.mark.slow)
    for name in POOLING
    for size in (64, 224)
]


@pytest.mark.parametrize(("architecture", "size"), OF_SIZES)
def test_networks_that_pool_train_and_evaluate_images_of_other_sizes(architecture, size):
    of_its_own = multiprocessing.get_context("spawn")  # TensorFlow gives no memory back: 7 GiB for all of them
    with concurrent.futures.ProcessPoolExecutor(1, of_its_own) as process:
        has_learned, loss = process.submit(trained_and_evaluated, architecture, size).result()
    assert has_learned
    assert np.isfinite(loss)


def trained_and_evaluated(architecture: str, size: int) -> tuple[bool, float]:
    """Whether a step on images of a size has changed a network's weights, and its loss behind the step."""
    values = {"architecture": architecture, "precision": "float32", "depth": 10, "widen_factor": 1, **ADAM}
    model, before, train = trained_a_step(size, **values)
    has_learned = any(
        bool((variable.numpy() != value).any())
        for variable, value in zip(model.trainable_variables, before, strict=False)
    )
    stream = tf.data.Dataset.from_tensors({**batch(size), "mask": np.ones(2, bool)})
    return has_learned, float(Evaluator(model, train, CIFAR100.classes)(stream, 2)["loss"])
