"""The networks of the original study: parameters, multiply-adds, and what their fields change."""

import keras
import numpy as np
import pytest

from models import classifier
from models.config.presets import preset
from models.config.training import TrainConfig
from models.layers.batch_norm import FusedBatchNormalization
from models.reporting import flops
from pipeline.common import config, errors
from pipeline.data_config import DataConfig
from pipeline.resolution import ResolutionSchedule
from tests.descriptions import CIFAR100
from tests.models.architectures.networks import built, num_trainable


def test_baseline_has_the_studys_parameters():
    values = {**preset("baseline"), "precision": "float32"}
    model = classifier.build(config.build(TrainConfig, values), CIFAR100)
    assert model.count_params() == 6_454_948
    assert [layer.count_params() for layer in model.layers if layer.count_params()] == [896, 18_496, 6_422_656, 12_900]


Convolutions = list[tuple[int, int, int]]  # of each one: channels, filters, pixels each way of what comes out


def of_convolutions(convolutions: Convolutions) -> tuple[int, int]:
    """Weights of 3 x 3 convolutions, and their multiply-adds."""
    kernels = [9 * channels * filters for channels, filters, _ in convolutions]
    return sum(kernels), sum(size * side**2 for size, (_, _, side) in zip(kernels, convolutions, strict=True))


@pytest.mark.parametrize(
    ("values", "convolutions", "num_flat"),
    [
        ({}, [(3, 32, 32), (32, 64, 16), (64, 128, 8)], 4 * 4 * 128),
        ({"first_filters": 16}, [(3, 16, 32), (16, 32, 16), (32, 64, 8)], 4 * 4 * 64),
        ({"blocks": 4}, [(3, 32, 32), (32, 64, 16), (64, 128, 8), (128, 256, 4)], 2 * 2 * 256),
        ({"padding": "valid"}, [(3, 32, 30), (32, 64, 13), (64, 128, 4)], 2 * 2 * 128),
        (
            {"block_convolutions": 2},
            [(3, 32, 32), (32, 32, 32), (32, 64, 16), (64, 64, 16), (64, 128, 8), (128, 128, 8)],
            4 * 4 * 128,
        ),
    ],
)
def test_original_cnn_has_the_parameters_of_its_fields(values, convolutions, num_flat):
    weights, multiply_adds = of_convolutions(convolutions)
    num_filters = sum(filters for _, filters, _ in convolutions)
    model = built(architecture="original_cnn", heads="fine", **values)
    assert num_trainable(model) == weights + num_filters + (num_flat + 1) * 128 + 12_900
    assert flops.multiply_adds(model, 32) == multiply_adds + num_flat * 128 + 128 * 100
    normalised = built(architecture="original_cnn", heads="fine", batch_norm=True, **values)
    assert num_trainable(normalised) == num_trainable(model) + num_filters  # a scale; the offsets stand for the biases


def test_original_cnn_is_of_the_size_that_it_says():
    assert built(architecture="original_cnn", heads="fine").count_params() == 368_420


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"pooling": "max"}, "MMM"),
        ({"pooling": "average"}, "AAA"),
        ({"pooling": "mixed"}, "MMA"),
        ({"pooling": "mixed", "blocks": 4}, "MMAA"),
    ],
)
def test_original_cnn_pools_as_it_is_told(values, expected):
    letters = {keras.layers.MaxPooling2D: "M", keras.layers.AveragePooling2D: "A"}
    layers = built(architecture="original_cnn", **values).layers
    assert "".join(letters.get(type(layer), "") for layer in layers) == expected


@pytest.mark.parametrize("activation", ["relu", "elu", "leaky_relu", "selu", "tanh", "silu"])
@pytest.mark.parametrize(
    "values", [{}, {"pooling": "average"}, {"pooling": "mixed"}, {"block_convolutions": 2, "batch_norm": True}]
)
def test_original_cnn_answers_as_if_it_pooled_what_is_activated(activation, values):
    model = built(architecture="original_cnn", heads="fine", activation=activation, blocks=2, **values)
    images = np.random.default_rng(0).uniform(0, 255, [4, 32, 32, 3]).astype(np.float32)
    activate = getattr(keras.activations, activation)
    layers = [
        layer for layer in model.layers if not isinstance(layer, (keras.layers.InputLayer, keras.layers.Activation))
    ]
    x = images
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(20 * layer.kernel)  # far enough below zero that silu falls there
        x = layer(x)
        is_last_of_linear = isinstance(layer, (keras.layers.Conv2D, FusedBatchNormalization))
        if is_last_of_linear and not isinstance(following, FusedBatchNormalization):
            x = activate(x)
    np.testing.assert_allclose(model(images)["fine"], x, rtol=1e-4, atol=1e-3)


def test_original_cnn_penalises_the_squares_of_the_trunks_kernels():
    model = built(architecture="original_cnn", l2=0.01)
    kernels = [variable.numpy() for variable in model.trainable_variables if variable.name == "kernel"]
    assert len(kernels) == 4 + 2
    assert float(sum(model.losses)) == pytest.approx(0.01 * sum((kernel**2).sum() for kernel in kernels[:4]), rel=1e-5)
    assert not built(architecture="original_cnn").losses


def test_original_cnn_drops_behind_each_block_and_begins_as_it_is_told():
    model = built(architecture="original_cnn", dropout=0.25, activation="selu", initializer="lecun_normal")
    kinds = [type(layer).__name__ for layer in model.layers]
    before = [kinds[place - 2 : place] for place, kind in enumerate(kinds) if kind == "Dropout"]
    assert before == [["MaxPooling2D", "Activation"]] * 3
    assert {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)} == {0.25}
    activations = [layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)]
    assert activations == ["selu"] * 3
    glorots = built(architecture="original_cnn")
    kernels = [layer.kernel.numpy() for network in (model, glorots) for layer in network.layers if is_hidden(layer)]
    assert [kernel.std() for kernel in kernels] == pytest.approx([2048**-0.5, (2 / (2048 + 128)) ** 0.5], rel=0.02)


def is_hidden(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Dense) and layer.units == 128


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"padding": "valid", "blocks": 4}, r"block 4's convolution 1 would get 2 x 2 pixels and needs 3 x 3; "
                                            r"use padding=same or blocks=3"),
        ({"blocks": 6}, r"block 6's pooling would get 1 x 1 pixels and needs 2 x 2; use blocks=5"),
        ({"padding": "valid", "block_convolutions": 20}, r"block 1's convolution 16 .* padding=same or fewer block"),
        ({"padding": "valid", "blocks": 10**9}, r"block 4's convolution 1 .* use blocks=3"),
    ],
)  # fmt: skip
def test_original_cnn_that_runs_out_of_pixels_is_refused_before_it_is_built(values, message):
    with pytest.raises(errors.BadArgumentError, match=message):
        TrainConfig(architecture="original_cnn", **values)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("block_convolutions", [1, 2, 3])
def test_every_original_cnn_that_is_allowed_can_be_built(padding, block_convolutions):
    blocks = 1
    while True:
        values = {"architecture": "original_cnn", "padding": padding, "block_convolutions": block_convolutions}
        try:
            TrainConfig(**values, blocks=blocks + 1)
        except errors.BadArgumentError:
            break
        blocks += 1
    model = built(**values, blocks=blocks, first_filters=1)
    assert min(model.get_layer(index=-4).output.shape[1:]) >= 1
    assert blocks == {"same": 5, "valid": {1: 3, 2: 2, 3: 2}[block_convolutions]}[padding]


# Of Model 1: the first and the second convolution of each block, which pooling parts.
FIRST_OF_BLOCKS = [(3, 64, 32), (64, 128, 16), (128, 256, 8), (256, 512, 4)]
SECOND_OF_BLOCKS = [(64, 64, 16), (128, 128, 8), (256, 256, 4), (512, 512, 2)]


@pytest.mark.parametrize(("num_convolutions", "parameters"), [(8, 4_789_796), (6, 4_605_092), (4, 1_654_436)])
def test_original_net_loses_its_convolutions_from_the_front(num_convolutions, parameters):
    model = built(architecture="original_net", heads="fine", convolutions=num_convolutions)
    convolutions = FIRST_OF_BLOCKS + SECOND_OF_BLOCKS[8 - num_convolutions :]
    weights, multiply_adds = of_convolutions(convolutions)
    normalisation = 2 * sum(filters for _, filters, _ in convolutions)
    assert num_trainable(model) == weights + normalisation + 1025 * 100 == parameters
    assert flops.multiply_adds(model, 32) == multiply_adds + 1024 * 100


@pytest.mark.parametrize(
    ("name", "rates", "petaflop"),
    [
        ("original_model_1", [0.3], 0.102),
        ("original_fine", [0.4], 0.530),
        ("original_coarse_transferred", [0.4], 0.136),
        ("original_coarse", [0.4], 0.262),
    ],
)
def test_presets_of_the_studys_models_drop_and_cost_what_they_say(name, rates, petaflop):
    data, train = (config.build(kind, preset(name), {"precision": "float32"}) for kind in (DataConfig, TrainConfig))
    model = classifier.build(train, CIFAR100)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == rates
    assert {layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)} == {
        "elu"
    }
    steps = round(data.virtual_examples * train.epochs / data.batch_size)
    by_size = ResolutionSchedule.from_shares(data.resolutions, 32).steps_by_size(steps, steps)
    images = {size: count * data.batch_size for size, count in by_size.items()}
    assert flops.train_petaflop(model, train, images) == pytest.approx(petaflop, rel=0.01)
