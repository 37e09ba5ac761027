"""Every network of Keras's own layers in float32: the logits of the project's layers, also in a bfloat16 run."""

import random

import keras
import numpy as np
import pytest

from models import classifier
from models.architectures import BUILDERS
from models.config.training import TrainConfig
from models.exporting import float32_model
from models.layers.batch_norm import FusedBatchNormalization
from models.layers.convolution import Convolution
from pipeline.common import config
from tests.descriptions import CIFAR100
from tests.models.architectures.networks import LARGE

SPEEDRUN = {"architecture": "speedrun", "activation": "silu"}
SLOW = (*LARGE, "resnet18")  # the layers of resnet18 are those of wide_resnet
SMALL = {"wide_resnet": {"depth": 10, "widen_factor": 1}}
CASES = [
    *(
        pytest.param({"architecture": name, **SMALL.get(name, {})}, 32, marks=pytest.mark.slow if name in SLOW else ())
        for name in BUILDERS
    ),
    ({"heads": "coarse", "pixel_scaling": "unit", "logit_scale": 0.139}, 32),
    ({**SPEEDRUN, "whitening": False, "norm_scale": False, "separate_blocks": True}, 32),
    (SPEEDRUN, 21),  # odd maps before every pooling
    ({"architecture": "original_net", "activation": "elu", "dropout": 0.2, "head_dropout": 0.3}, 24),
    ({"architecture": "original_cnn", "batch_norm": True, "l2": 0.01, "pooling": "mixed"}, 32),
    ({"architecture": "original_cnn", "activation": "leaky_relu", "padding": "valid"}, 32),
    ({"fine_hidden_layers": 1, "fine_dropout": 0.5, "fine_l2": 0.1}, 32),
]


def trained(values: dict) -> keras.Model:
    """A classifier whose normalizations have scales, offsets and statistics such as training gives them."""
    model = classifier.build(config.build(TrainConfig, {"precision": "mixed_bfloat16", **values}), CIFAR100)
    numbers = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, FusedBatchNormalization):
            shape = layer.gamma.shape
            layer.gamma.assign(numbers.uniform(0.5, 1.5, shape) * numbers.choice([-1, 1, 1], shape))
            layer.beta.assign(numbers.normal(0, 0.1, shape))
            layer.moving_mean.assign(numbers.normal(0, 0.1, shape))
            layer.moving_variance.assign(numbers.uniform(1, 4, shape))  # or rounding would grow with the depth
    return model


def images(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (8, size, size, 3), np.uint8)


def check_near(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, logits in expected.items():
        np.testing.assert_allclose(found[name], logits, atol=1e-5 * np.abs(logits).max())


@pytest.mark.parametrize(("values", "size"), CASES)
def test_stock_layers_return_the_logits_of_the_projects_layers(values, size):
    model = trained(values)
    stock, own = float32_model.of_stock_layers(model, size), float32_model.rebuild(model)
    assert {type(layer).__module__.split(".")[0] for layer in stock.layers} == {"keras"}
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in stock.layers)
    assert {layer.compute_dtype for one in (stock, own) for layer in one.layers} == {"float32"}
    assert (stock.input_shape, stock.inputs[0].dtype) == ((None, size, size, 3), "uint8")
    expected = own(images(size))
    check_near(stock(images(size)), expected)
    check_near(float32_model.of_stock_layers(model, size, folds=True)(images(size)), expected)


def test_rebuilt_model_is_that_of_the_float32_policy():
    half = trained(SPEEDRUN)
    single = classifier.build(TrainConfig(precision="float32", **SPEEDRUN), CIFAR100)
    single.set_weights(half.get_weights())
    for name, logits in single(images(32)).items():
        np.testing.assert_array_equal(float32_model.rebuild(half)(images(32))[name], logits)
    assert np.abs(half(images(32))["fine"] - single(images(32))["fine"]).max() > 1e-4  # bfloat16 differs


def test_stock_model_is_saved_without_the_project(tmp_path):
    model = trained(SPEEDRUN | {"whitening": False})  # whose stem is initialized by a class of this project
    stock = float32_model.of_stock_layers(model, 32)
    stock.save(tmp_path / "model.keras")
    assert "streaming_cifar100" not in str(stock.get_config())
    check_near(keras.saving.load_model(tmp_path / "model.keras")(images(32)), stock(images(32)))


def test_rebuilding_leaves_the_model_and_the_random_state_as_they_were():
    model = trained({})
    weights, state = model.get_weights(), random.getstate()
    float32_model.rebuild(model)
    float32_model.of_stock_layers(model, 32)
    assert random.getstate() == state
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_scales_behind_a_pooling_are_folded_into_kernels():
    model = trained(SPEEDRUN)
    plain, folded = (float32_model.of_stock_layers(model, 32, folds=folds) for folds in (False, True))
    num_left = [
        sum(isinstance(layer, keras.layers.BatchNormalization) for layer in one.layers) for one in (plain, folded)
    ]
    assert num_left == [9, 6]  # one of each group is behind a pooling
    for before, after in zip(plain.layers, folded.layers, strict=True):
        assert before.name == after.name


def test_convolution_of_even_outputs_alone_is_cropped():
    inputs = keras.Input((7, 9, 3))
    layer = Convolution(4, 3, even_outputs=True)
    own = keras.Model(inputs, layer(inputs))
    stock = keras.Model(inputs, layer.stock(inputs))
    maps = np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype(np.float32)
    assert stock.output_shape == (None, 6, 8, 4)
    np.testing.assert_allclose(stock(maps), own(maps), atol=1e-5)
