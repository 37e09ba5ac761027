"""Networks: the study's parameter counts, shapes, precision."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import classifier
from models.architectures import BUILDERS, efficientnet
from models.config.presets import preset
from models.config.training import TrainConfig
from models.layers.batch_norm import FusedBatchNormalization
from models.layers.dirac import DiracInitializer
from models.optimizers import newton_schulz
from models.optimizers.build import build_optimizer
from models.reporting import flops
from models.runtime import precision
from models.training.step import TrainStep
from pipeline.common import config, errors
from pipeline.data_config import DataConfig
from pipeline.resolution import ResolutionSchedule

LARGE = ("vgg11", "vgg16", "efficientnet_b0", "efficientnet_v2_s")  # seconds to build, so only once, and never called


def built(**values) -> keras.Model:
    return classifier.build(TrainConfig(**{"precision": "float32", **values}))


def test_baseline_has_the_studys_parameters():
    values = {**preset("baseline"), "precision": "float32"}
    model = classifier.build(config.build(TrainConfig, values))
    assert model.count_params() == 6_454_948
    assert [layer.count_params() for layer in model.layers if layer.count_params()] == [896, 18_496, 6_422_656, 12_900]


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


def test_exported_fast_network_answers_the_same_at_any_batch_size(tmp_path):
    model = built(architecture="speedrun", activation="silu", precision="mixed_bfloat16")
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for num_images in (1, 5):
        images = np.random.default_rng(0).integers(0, 256, (num_images, 32, 32, 3)).astype(np.float32)
        np.testing.assert_allclose(exported.serve(images)["fine"], model(images)["fine"], rtol=0.05, atol=0.05)


def test_multiply_adds_of_a_known_network():
    model = built(architecture="baseline", heads="fine")
    expected = 3 * 9 * 32 * 30 * 30 + 32 * 9 * 64 * 28 * 28 + 50_176 * 128 + 128 * 100
    assert flops.multiply_adds(model) == expected
    assert flops.train_petaflop(model, TrainConfig(), {32: 1000}) == pytest.approx(6 * expected * 1000 / 1e15)


def test_multiply_adds_follow_the_resolution():
    model = built(heads="fine")
    convolutions = [3 * 32, 32 * 32, 32 * 96, 96 * 96, 96 * 256, 256 * 256]

    def expected(*pixels_a_side: int) -> int:
        return sum(9 * n * side**2 for n, side in zip(convolutions, pixels_a_side, strict=True)) + 256 * 100

    assert flops.multiply_adds(model) == flops.multiply_adds(model, 32) == expected(32, 32, 16, 8, 8, 4)
    assert flops.multiply_adds(model, 20) == expected(20, 20, 10, 5, 5, 2)
    images = {20: 1000, 32: 500}
    both = sum(flops.multiply_adds(model, size) * number for size, number in images.items())
    assert flops.train_petaflop(model, TrainConfig(), images) == pytest.approx(6 * both / 1e15)
    assert flops.train_petaflop(model, TrainConfig(sam_radius=0.1), images) == pytest.approx(12 * both / 1e15)


def test_pooling_networks_take_any_size_and_flattening_ones_do_not():
    images = np.zeros((2, 20, 20, 3), np.uint8)
    assert built()(images)["fine"].shape == (2, 100)
    assert BUILDERS["resnet9"].takes_any_size
    assert not BUILDERS["linear"].takes_any_size


@pytest.mark.parametrize(
    ("gpus", "capability", "flags", "expected"),
    [
        ([], None, "fpu amx_bf16", "mixed_bfloat16"),
        ([], None, "fpu avx512_bf16", "mixed_bfloat16"),
        ([], None, "fpu avx512f", "float32"),
        (["gpu"], (8, 0), "fpu", "mixed_bfloat16"),
        (["gpu"], (7, 5), "fpu amx_bf16", "mixed_float16"),
    ],
)
def test_auto_precision_follows_the_hardware(monkeypatch, gpus, capability, flags, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset(flags.split()))
    assert precision.resolve("auto") == expected
    assert precision.resolve("mixed_float16") == "mixed_float16"


def test_cpu_flags_are_read_and_may_be_missing(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: A\nflags\t\t: fpu amx_bf16\n")
    assert precision.cpu_flags(cpuinfo) == {"fpu", "amx_bf16"}
    assert precision.cpu_flags(tmp_path / "none") == frozenset()


def test_scope_restores_the_policy_after_an_error():
    with pytest.raises(ValueError, match="inside"), precision.scope("mixed_bfloat16"):
        raise ValueError("inside")
    assert keras.config.dtype_policy().name == "float32"


def test_unresolved_precision_is_refused():
    with pytest.raises(errors.BadArgumentError, match="resolve it"):
        built(precision="auto")


def test_fast_network_has_the_multiply_adds_of_its_recipe():
    model = built(architecture="speedrun")
    # Stem, then of each group its convolution (at 30, 14 and 6 pixels) and its pair (at 15, 7 and 3), then the heads.
    stem = 12 * 24 * 31**2
    first = 9 * 24 * 32 * 30**2 + 2 * 32 * 32 * 15**2
    second = 9 * 32 * 128 * 14**2 + (9 * 128 * 96 + 96 * 128) * 7**2
    third = 4 * 128 * 384 * 6**2 + 2 * 9 * 384 * 256 * 3**2
    assert flops.multiply_adds(model) == stem + first + second + third + 384 * 120
    assert flops.multiply_adds(model, 20) < 0.4 * flops.multiply_adds(model)


def test_fields_of_the_fast_network_change_it():
    plain = built(architecture="speedrun").count_params()
    assert built(architecture="speedrun", norm_scale=False).count_params() == plain  # the scales are there, and frozen
    trained = [len(built(architecture="speedrun", norm_scale=scale).trainable_variables) for scale in (True, False)]
    assert trained[0] == trained[1] + 9
    assert built(architecture="speedrun", widths="16,32,64", bottlenecks="8,16,32").count_params() < plain / 10
    activations = {
        layer.activation.__name__
        for layer in built(architecture="speedrun", activation="silu").layers
        if isinstance(layer, keras.layers.Activation)
    }
    assert activations == {"silu"}
    for text in ("32,128", "32,a,64", "0,1,2", "-1,2,3"):
        with pytest.raises(
            errors.BadArgumentError, match=r"^widths=.*expected (numbers such as 32,128,384|at least 1)"
        ):
            TrainConfig(architecture="speedrun", widths=text)


def test_dirac_kernels_hand_channels_on():
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)
    for kernel_size in (1, 2, 3):
        layer = keras.layers.Conv2D(
            7, kernel_size, padding="same", use_bias=False, kernel_initializer=DiracInitializer(seed=1)
        )
        answers = layer(images).numpy()
        np.testing.assert_allclose(answers[..., :4], images, atol=1e-6)
        assert np.abs(answers[..., 4:]).max() > 0.1


def test_trained_stem_costs_what_the_whitening_one_does():
    costs = {flops.multiply_adds(built(architecture="speedrun", whitening=whitening)) for whitening in (True, False)}
    assert len(costs) == 1


def test_muons_products_are_counted_apart():
    model = built(architecture="speedrun", widths="8,8,8", bottlenecks="8,8,8", whitening=False)
    kernels = [variable.shape for variable in model.trainable_variables if len(variable.shape) == 4]
    assert len(kernels) == 10
    products = sum(newton_schulz.multiply_adds(tuple(kernel), 3) for kernel in kernels)
    assert newton_schulz.multiply_adds((3, 3, 8, 8), 3) == 2 * 8 * 8 * 72 + 9 * 8**3
    config_of_run = TrainConfig(optimizer="muon", muon_iterations=3)
    assert flops.optimizer_petaflop(model, config_of_run, 100) == pytest.approx(2 * products * 100 / 1e15)
    assert flops.optimizer_petaflop(model, TrainConfig(), 100) == 0.0


def test_resnet_has_the_known_parameters():
    model = built(architecture="resnet18", heads="fine")
    assert sum(variable.shape.num_elements() for variable in model.trainable_variables) == 11_220_132
    assert flops.multiply_adds(model) == 555_468_800  # of the CIFAR form's usual count, 0.56 G


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


def num_trainable(model: keras.Model) -> int:
    return sum(variable.shape.num_elements() for variable in model.trainable_variables)


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
    assert flops.multiply_adds(model) == multiply_adds + num_flat * 128 + 128 * 100
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
    assert flops.multiply_adds(model) == multiply_adds + 1024 * 100


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
    model = classifier.build(train)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == rates
    assert {layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)} == {
        "elu"
    }
    steps = round(data.virtual_examples * train.epochs / data.batch_size)
    by_size = ResolutionSchedule.from_shares(data.resolutions).steps_by_size(steps, steps)
    images = {size: count * data.batch_size for size, count in by_size.items()}
    assert flops.train_petaflop(model, train, images) == pytest.approx(petaflop, rel=0.01)


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


@pytest.mark.parametrize("name", ["B0", "V2_S"])
def test_efficientnets_with_imagenets_strides_are_those_of_keras_applications(name):
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
    pixels = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    expected = behind_the_scaling(pixels).numpy()
    # Untrained networks of this depth let rounding grow; a layer that is wrong shows in the first digit.
    np.testing.assert_allclose(model(pixels), expected, atol=1e-3 * np.abs(expected).max())


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


@pytest.mark.parametrize("architecture", sorted({*BUILDERS} - {*LARGE, "resnet18", "wide_resnet"}))
def test_every_network_trains_a_step_in_bfloat16(architecture):
    values = {
        "architecture": architecture,
        "precision": "mixed_bfloat16",
        "dropout": 0.1,
        "jit_compile": "off",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
    }
    train = config.build(TrainConfig, values)  # some have no dropout
    model = classifier.build(train)
    optimizer = build_optimizer(train, model.trainable_variables)
    step = TrainStep(model, optimizer, DataConfig(augmentation="none"), train, total_steps=2)
    before = [variable.numpy() for variable in model.trainable_variables]
    batch = {
        "image": np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8),
        "fine": np.array([3, 4], np.int32),
        "coarse": np.array([1, 2], np.int32),
        "index": np.arange(2),
        "pass_number": np.zeros(2, np.int64),
    }
    step(batch, 0)
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(variable.numpy()).all()
        assert (variable.numpy() != value).any(), variable.path
