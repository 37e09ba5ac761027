"""Published networks: the known parameters, and the weights of ImageNet."""

import dataclasses

import keras
import numpy as np
import pytest

from models import layers
from models.architectures import efficientnet
from models.config.training import TrainConfig
from models.reporting import flops
from models.runtime import device, precision
from pipeline.common import errors
from tests.models.architectures.networks import built, num_trainable


def test_resnet_has_the_known_parameters():
    model = built(architecture="resnet18", heads="fine")
    assert sum(variable.shape.num_elements() for variable in model.trainable_variables) == 11_220_132
    assert flops.multiply_adds(model, 32) == 555_468_800  # of the CIFAR form's usual count, 0.56 G


@pytest.mark.parametrize(("depth", "factor", "parameters"), [(16, 4, 2_772_020), (28, 10, 36_536_884)])
def test_wide_resnet_has_the_known_parameters(depth, factor, parameters):
    model = built(architecture="wide_resnet", heads="fine", depth=depth, widen_factor=factor)
    assert sum(variable.shape.num_elements() for variable in model.trainable_variables) == parameters


def test_wide_resnet_of_no_such_depth_is_refused():
    with pytest.raises(errors.BadArgumentError, match=r"depth=27: expected 6 n \+ 4"):
        TrainConfig(architecture="wide_resnet", depth=27)


def test_dropout_of_wide_resnet_is_part_of_what_a_checkpoint_keeps():
    model = built(architecture="wide_resnet", depth=10, widen_factor=1, dropout=0.3)
    dropped = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(dropped) == 3
    kept = {id(variable) for variable in model.variables}
    assert all(id(layer.seed_generator.state) in kept for layer in dropped)


def test_alexnet_has_the_known_parameters():
    model = built(architecture="alexnet", heads="fine")
    assert num_trainable(model) == 2_495_396
    assert [layer.output.shape[1] for layer in model.layers if isinstance(layer, keras.layers.Conv2D)] == [
        8,
        4,
        2,
        2,
        2,
    ]


@pytest.mark.parametrize(
    ("architecture", "trainable", "features"),
    [
        # Those of weiaicunzai/pytorch-cifar100, less the biases that normalisation makes idle; then the coarse head.
        ("vgg11", 28_518_244 - 2_752 + 20 * 4097, 4096),
        ("vgg16", 34_015_396 - 4_224 + 20 * 4097, 4096),
        # Those of keras.applications without its top; then the two heads.
        ("efficientnet_b0", 4_007_548 + 120 * 1281, 1280),
        ("efficientnet_v2_s", 20_177_488 + 120 * 1281, 1280),
    ],
)
def test_large_networks_have_the_known_parameters_and_answer_float32(architecture, trainable, features):
    model = built(architecture=architecture, precision="mixed_bfloat16")
    assert num_trainable(model) == trainable
    assert model.get_layer("fine_logits").input.shape == (None, features)
    assert {name: (value.shape[1], value.dtype) for name, value in model.output.items()} == {
        "fine": (100, "float32"),
        "coarse": (20, "float32"),
    }
    trunk = {layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    assert trunk == {"bfloat16"}


@pytest.fixture
def double_precision(monkeypatch):
    """Untrained networks of this depth let rounding grow: in float32, by machine, up to the second digit."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    monkeypatch.setattr(layers, "FusedBatchNormalization", keras.layers.BatchNormalization)  # whose op has no double
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(("has_gpu", "dtype"), [(False, "float32"), (True, "bfloat16")])
def test_depthwise_convolutions_are_float32_in_bfloat16_networks_on_cpus(has_gpu, dtype, monkeypatch):
    monkeypatch.setattr(device, "has_gpu", lambda: has_gpu)
    stage = efficientnet.Stage(3, 2, 1, 8, 1)
    network = dataclasses.replace(efficientnet.B0, stem_filters=8, stages=(stage,))
    with precision.scope("mixed_bfloat16"):
        images = keras.Input((32, 32, 3))
        model = keras.Model(images, efficientnet.trunk(images, network))
    of_kind = {type(layer).__name__: layer.compute_dtype for layer in model.layers if layer.weights}
    assert of_kind.pop("DepthwiseConv2D") == dtype
    assert set(of_kind.values()) == {"bfloat16"}


@pytest.mark.parametrize("name", ["B0", "V2_S"])
def test_efficientnets_with_imagenets_strides_are_those_of_keras_applications(name, double_precision):
    network = getattr(efficientnet, name)
    application = getattr(keras.applications, network.application)(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    stages = [
        dataclasses.replace(stage, stride=2 if at == 1 else stage.stride) for at, stage in enumerate(network.stages)
    ]
    of_imagenet = dataclasses.replace(network, stem_stride=2, stages=tuple(stages))
    images = keras.Input((64, 64, 3))
    model = keras.Model(images, efficientnet.trunk(images, of_imagenet))
    efficientnet.copy_weights(application, model)
    stem = application.get_layer("stem_conv_pad" if name == "B0" else "stem_conv")
    behind_the_scaling = keras.Model(stem.input, application.output)
    pixels = np.random.default_rng(0).normal(size=(1, 64, 64, 3))
    expected = behind_the_scaling(pixels).numpy()
    np.testing.assert_allclose(model(pixels), expected, atol=1e-6 * np.abs(expected).max())


def test_imagenets_weights_from_a_dead_host_are_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))  # which holds no file yet
    monkeypatch.setattr("keras.src.applications.efficientnet.BASE_WEIGHTS_PATH", "http://127.0.0.1:9/")
    with pytest.raises(
        errors.FailedError, match=r"pretrained=True: .*127\.0\.0\.1:9.*leave --pretrained out"
    ) as caught:
        built(architecture="efficientnet_b0", pretrained=True)
    assert "\n" not in str(caught.value)


def test_pretrained_is_refused_where_there_are_no_weights():
    with pytest.raises(errors.BadArgumentError, match=r"pretrained=True: .*=vgg16 .* --architecture=efficientnet_b0"):
        TrainConfig(architecture="vgg16", pretrained=True)
