"""Networks: the study's parameter counts, shapes, precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import classifier, flops, precision
from models.layers import DiracInitializer
from models.network_config import ARCHITECTURES
from models.presets import preset
from models.train_config import TrainConfig
from pipeline import config, errors


def built(**values) -> keras.Model:
    return classifier.build(TrainConfig(**{"precision": "float32", **values}))


def test_baseline_has_the_studys_parameters():
    values = {**preset("baseline"), "precision": "float32"}
    model = classifier.build(config.build(TrainConfig, values))
    assert model.count_params() == 6_454_948
    assert [layer.count_params() for layer in model.layers if layer.count_params()] == [896, 18_496, 6_422_656, 12_900]


def test_linear_model_is_one_matrix_a_head():
    assert built(architecture="linear").count_params() == 3072 * 120 + 120


@pytest.mark.parametrize("architecture", ARCHITECTURES)
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


def test_saved_model_answers_the_same(tmp_path):
    model = built(precision="mixed_bfloat16")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images)["fine"], model(images)["fine"])


def test_multiply_adds_of_a_known_network():
    model = built(architecture="baseline", heads="fine")
    expected = 3 * 9 * 32 * 30 * 30 + 32 * 9 * 64 * 28 * 28 + 50_176 * 128 + 128 * 100
    assert flops.multiply_adds(model) == expected
    assert flops.train_petaflop(model, TrainConfig(), {32: 1000}) == pytest.approx(6 * expected * 1000 / 1e15)


def test_multiply_adds_follow_the_resolution():
    model = built(heads="fine")
    convolutions = [3 * 24, 24 * 32, 32 * 96, 96 * 96, 96 * 256, 256 * 256]

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
    assert classifier.takes_any_size("residual")
    assert not classifier.takes_any_size("linear")


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
    model = built(architecture="fast")
    # Stem, then of each group its convolution (at 31, 15 and 7 pixels) and its pair (at 15, 7 and 3), then the heads.
    stem = 12 * 24 * 31**2
    first = 9 * 24 * 32 * 31**2 + 2 * 32 * 32 * 15**2
    second = 9 * 32 * 128 * 15**2 + (9 * 128 * 96 + 96 * 128) * 7**2
    third = 4 * 128 * 384 * 7**2 + 2 * 9 * 384 * 256 * 3**2
    assert flops.multiply_adds(model) == stem + first + second + third + 768 * 120
    assert flops.multiply_adds(model, 20) < 0.4 * flops.multiply_adds(model)


def test_fields_of_the_fast_network_change_it():
    plain = built(architecture="fast").count_params()
    assert built(architecture="fast", norm_scale=True).count_params() == plain  # the scales are there, and frozen
    trained = [len(built(architecture="fast", norm_scale=scale).trainable_variables) for scale in (True, False)]
    assert trained[0] == trained[1] + 9
    assert built(architecture="fast", widths="16,32,64", bottlenecks="8,16,32").count_params() < plain / 10
    activations = {
        layer.activation.__name__
        for layer in built(architecture="fast", activation="silu").layers
        if isinstance(layer, keras.layers.Activation)
    }
    assert activations == {"silu"}
    for text in ("32,128", "32,a,64", "0,1,2", "-1,2,3"):
        with pytest.raises(errors.BadArgumentError, match=r"widths=.*expected three numbers"):
            TrainConfig(widths=text)


def test_dirac_kernels_hand_channels_on():
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)
    for kernel_size in (1, 2, 3):
        layer = keras.layers.Conv2D(
            7, kernel_size, padding="same", use_bias=False, kernel_initializer=DiracInitializer(seed=1)
        )
        answers = layer(images).numpy()
        np.testing.assert_allclose(answers[..., :4], images, atol=1e-6)
        assert np.abs(answers[..., 4:]).max() > 0.1


def test_muons_products_are_counted_apart():
    model = built(architecture="fast", widths="8,8,8", bottlenecks="8,8,8", whitening=False)
    kernels = [variable.shape for variable in model.trainable_variables if len(variable.shape) == 4]
    assert len(kernels) == 10
    products = 0
    for height, width, channels, filters in kernels:
        rows, columns = sorted((height * width * channels, filters))
        products += 2 * rows * rows * columns + rows**3
    config_of_run = TrainConfig(optimizer="muon", muon_iterations=3)
    assert flops.optimizer_petaflop(model, config_of_run, 100) == pytest.approx(2 * 3 * products * 100 / 1e15)
    assert flops.optimizer_petaflop(model, TrainConfig(), 100) == 0.0


def test_resnet_has_the_known_parameters():
    model = built(architecture="resnet", heads="fine")
    assert sum(variable.shape.num_elements() for variable in model.trainable_variables) == 11_220_132
    assert flops.multiply_adds(model) == 555_468_800  # of the CIFAR form's usual count, 0.56 G


@pytest.mark.parametrize(("depth", "factor", "parameters"), [(16, 4, 2_772_020), (28, 10, 36_536_884)])
def test_wide_resnet_has_the_known_parameters(depth, factor, parameters):
    model = built(architecture="wide_resnet", heads="fine", depth=depth, widen_factor=factor)
    assert sum(variable.shape.num_elements() for variable in model.trainable_variables) == parameters


def test_wide_resnet_of_no_such_depth_is_refused():
    with pytest.raises(errors.BadArgumentError, match=r"depth=27: expected 6 n \+ 4"):
        TrainConfig(depth=27)


def test_dropout_of_wide_resnet_is_part_of_what_a_checkpoint_keeps():
    model = built(architecture="wide_resnet", depth=10, widen_factor=1, dropout=0.3)
    dropped = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(dropped) == 3
    kept = {id(variable) for variable in model.variables}
    assert all(id(layer.seed_generator.state) in kept for layer in dropped)
