"""Draw + apply: exact pixels for injected draws, distributions of the draws, and both ways of use."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.augment import sets
from pipeline.augment.flip import HorizontalFlip
from pipeline.augment.layer import apply_all, draw_all
from pipeline.augment.shift import Shift
from pipeline.data_config import AUGMENTATIONS


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.float32)


@pytest.fixture(params=["eager", "graph", "tf_data"])
def run(request):
    """Call `function(*tensors)` eagerly, in a graph, or inside tf.data."""

    def through_dataset(function, *tensors):
        dataset = tf.data.Dataset.from_tensors(tuple(map(tf.constant, tensors))).map(function)
        return dataset.get_single_element()

    return {
        "eager": lambda function, *tensors: function(*map(tf.constant, tensors)),
        "graph": lambda function, *tensors: tf.function(function)(*map(tf.constant, tensors)),
        "tf_data": through_dataset,
    }[request.param]


def augment(images, transforms, seed: int, step: int):
    drawn = draw_all(transforms, seed, tf.constant(step, tf.int64), tf.constant(len(images)))
    return apply_all(images, transforms, drawn)


def test_flip_mirrors_exactly_the_drawn(run, images):
    drawn = np.array([True, False] * 4)
    expected = np.where(drawn[:, None, None, None], images[:, :, ::-1], images)
    np.testing.assert_array_equal(run(HorizontalFlip().apply, images, drawn), expected)


def test_shift_equals_reflected_padding_and_crop(run, images):
    drawn = np.array([[dy, dx] for dy in (-2, 0, 1, 2) for dx in (-1, 2)], np.int32)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    expected = np.stack([padded[i, 2 - dy : 34 - dy, 2 - dx : 34 - dx] for i, (dy, dx) in enumerate(drawn)])
    np.testing.assert_array_equal(run(Shift(2).apply, images, drawn), expected)


def test_draws_are_per_image_fair_and_cover_the_range():
    flips = HorizontalFlip().draw((1, 2), 4000).numpy()
    assert 0.45 < flips.mean() < 0.55
    shifts = Shift(2).draw((1, 2), 4000).numpy()
    assert set(np.unique(shifts)) == {-2, -1, 0, 1, 2}
    assert all(0.15 < (shifts[:, axis] == value).mean() < 0.25 for axis in (0, 1) for value in range(-2, 3))
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.1


def test_augment_is_a_function_of_seed_and_step(images):
    transforms = sets.build("flip_shift")

    def at(seed: int, step: int) -> np.ndarray:
        return augment(images.astype(np.uint8), transforms, seed, step).numpy()

    np.testing.assert_array_equal(at(0, 5), at(0, 5))
    assert (at(0, 5) != at(0, 6)).any()
    assert (at(0, 5) != at(1, 5)).any()
    assert at(0, 5).dtype == np.float32


def test_two_alike_transforms_draw_apart():
    first, second = draw_all((Shift(2), Shift(2)), 0, tf.constant(0, tf.int64), tf.constant(8))
    assert (first != second).numpy().any()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_named_set_can_be_built_and_keeps_shape(name, images):
    out = augment(images, sets.build(name), 0, 0)
    assert out.shape == images.shape


@pytest.mark.parametrize("layer", [HorizontalFlip(), Shift(3)])
def test_in_anybodys_model_it_acts_in_training_alone_and_saves(layer, images, tmp_path):
    model = keras.Sequential([keras.Input((32, 32, 3)), layer])
    np.testing.assert_array_equal(model(images), images)
    assert (model(images, training=True).numpy() != images).any()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].get_config() == layer.get_config()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_geometry_stays_float32_under_any_policy(policy, images):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layer = Shift(2)
        assert layer(images + 0.123, training=True).dtype == tf.float32
        np.testing.assert_array_equal(layer(images + 0.123), images + np.float32(0.123))
    finally:
        keras.config.set_dtype_policy(before)


def test_transforms_compile_with_xla_as_they_say(images):
    transforms = sets.build("flip_shift")
    assert all(transform.xla for transform in transforms)
    drawn = draw_all(transforms, 0, tf.constant(3, tf.int64), tf.constant(8))
    compiled = tf.function(lambda x, d: apply_all(x, transforms, d), jit_compile=True)
    np.testing.assert_array_equal(compiled(images, drawn), apply_all(images, transforms, drawn))
