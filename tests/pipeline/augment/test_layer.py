"""What holds for every transform: as a layer of anybody's model, under any precision, compiled, saved and in words."""

import importlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline import augment
from pipeline.augment import layer as layer_module
from pipeline.augment.affine import Fused
from pipeline.augment.color import ColorJitter, Grayscale
from pipeline.augment.geometric import HorizontalFlip, Rotation, VerticalFlip, Zoom
from pipeline.augment.layer import Views
from pipeline.augment.mixing import Mixing
from pipeline.augment.policies import AugMix, RandAugment, TrivialAugmentWide
from pipeline.augment.windows import Shift

from .layers import LAYERS, draw, remade, views

every_layer = pytest.mark.parametrize("layer", LAYERS, ids=repr)


@every_layer
def test_by_itself_it_augments_unless_training_is_false(layer, images):
    images += np.float32(0.123)
    np.testing.assert_array_equal(layer(images, training=False), images)
    if isinstance(layer, Mixing):
        return
    first, second = layer(images).numpy(), layer(images, training=True).numpy()
    assert (first != images).any()
    assert (first != second).any()
    assert first.shape == layer.compute_output_shape(images.shape)


@every_layer
def test_it_stays_float32_under_any_policy(policy, layer, images):
    layer = remade(layer)
    assert layer.compute_dtype == "float32"
    images += np.float32(0.123)
    for training in (False,) if isinstance(layer, Mixing) else (False, True):
        assert layer(images, training=training).dtype == tf.float32
        assert layer(images.astype(np.uint8), training=training).dtype == tf.float32
    np.testing.assert_array_equal(layer(images, training=False), images)
    drawn = draw(layer, 16)
    assert all(of.dtype != np.float16 for of in tf.nest.flatten(drawn))
    out = layer.apply(images, drawn)
    assert out.dtype == tf.float32
    assert np.any(out.numpy().astype(np.float16) != out.numpy())  # and no pixel has been rounded on the way


@every_layer
def test_it_compiles_with_xla_as_it_says(layer, images):
    assert layer.xla
    drawn = tf.nest.map_structure(tf.constant, draw(layer, 16))
    out = tf.function(layer.apply, jit_compile=True)(images, drawn)
    assert np.abs(out - layer.apply(images, drawn)).max() <= 0.01


@every_layer
def test_draws_follow_from_the_seed_alone(layer):
    seed = tf.constant([3, -4])
    first = draw(layer, 32, seed)
    tf.random.set_seed(99)
    keras.utils.set_random_seed(99)
    if not isinstance(layer, Mixing):
        layer(np.zeros((2, 32, 32, 3), np.float32), training=True)
    traced = tf.function(layer.draw)(seed, views(32))
    tf.nest.map_structure(np.testing.assert_array_equal, draw(layer, 32, seed), first)
    tf.nest.map_structure(np.testing.assert_array_equal, tf.nest.map_structure(lambda of: of.numpy(), traced), first)
    for other in ((4, -4), (3, -5), (-4, 3)):
        changed = tf.nest.map_structure(lambda a, b: np.any(a != b), draw(layer, 32, other), first)
        assert any(tf.nest.flatten(changed))


@every_layer
def test_it_saves_and_loads(layer, images, tmp_path):
    model = keras.Sequential([keras.Input((32, 32, 3)), type(layer).from_config(layer.get_config())])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    (copy,) = loaded.layers
    assert type(copy) is type(layer)
    assert json.dumps(copy.get_config()) == json.dumps(model.layers[0].get_config())
    assert repr(copy) == repr(layer)
    np.testing.assert_array_equal(loaded(images), images)
    if not isinstance(layer, Mixing):
        np.testing.assert_array_equal(loaded(images, training=True), model(images, training=True))


@every_layer
def test_its_repr_is_how_one_would_write_it(layer):
    copy = remade(layer)
    assert type(copy) is type(layer)
    assert repr(copy) == repr(layer)
    assert copy.get_config() | {"name": "", "parts": []} == layer.get_config() | {"name": "", "parts": []}


def test_reprs():
    assert repr(Rotation(90)) == "Rotation(max_degrees=90, fill='nearest')"
    assert repr(HorizontalFlip()) == "HorizontalFlip()"
    constant = Zoom(0.1, fill="constant", fill_value=2.0)
    assert repr(constant) == "Zoom(max_fraction=0.1, fill='constant', fill_value=2.0)"
    assert repr(Fused((Rotation(90), HorizontalFlip()))) == (
        "Fused(parts=[Rotation(max_degrees=90, fill='nearest'), HorizontalFlip()])"
    )


@every_layer
def test_what_was_drawn_is_told_in_words(layer):
    drawn = draw(layer, 4)
    words = [layer.describe(tf.nest.map_structure(lambda of, i=i: of[i], drawn)) for i in range(4)]
    assert all(isinstance(of, str) and 2 <= len(of) < 80 for of in words)


@every_layer
def test_images_of_one_batch_draw_apart(layer, policy):
    """No two of 24 images have the same history of draws over 32 seeds."""
    draws = tf.function(lambda seed: tf.nest.flatten(layer.draw(seed, views(24))))
    told = [np.reshape(of, (24, -1)) for seed in range(32) for of in draws(tf.constant([seed, 7 - seed]))]
    assert len(np.unique(np.concatenate(told, axis=1), axis=0)) == 24


def test_views_of_unnumbered_images():
    of = Views.of(tf.constant(3))
    assert of.index.numpy().tolist() == [0, 1, 2]
    assert of.pass_number.numpy().tolist() == [0, 0, 0]
    assert of.index.dtype == of.pass_number.dtype == tf.int64
    assert of.count.numpy() == 3


def test_primitive_draws_never_change():
    """On no machine: they are Philox's, named rather than left to the device."""
    seed = tf.constant([1, 2])
    assert layer_module.integers(seed, [6], 0, 1000).numpy().tolist() == [140, 849, 294, 179, 227, 165]
    assert (layer_module.uniform(seed, [3]).numpy() * 2**23).tolist() == [7080492.0, 1610993.0, 8356926.0]


def test_two_layers_of_a_model_draw_apart_though_their_seeds_are_alike(images):
    several = np.concatenate([images] * 8)
    mirrored = HorizontalFlip()(several, training=True).numpy() != several
    upside_down = VerticalFlip()(several, training=True).numpy() != several
    both = np.stack([mirrored.any((1, 2, 3)), upside_down.any((1, 2, 3))])
    assert abs(np.corrcoef(both)[0, 1]) < 0.3
    again = HorizontalFlip(name="another")(several, training=True).numpy() != several
    assert abs(np.corrcoef(both[0], again.any((1, 2, 3)))[0, 1]) < 0.3


@pytest.mark.parametrize("layer", [ColorJitter(), Grayscale(), TrivialAugmentWide(), RandAugment(), AugMix()])
@pytest.mark.parametrize("channels", [1, 4])
def test_colour_needs_three_channels(layer, channels):
    with pytest.raises(ValueError, match="expected images of three channels"):
        layer(np.zeros((2, 32, 32, channels), np.float32), training=True)


def test_one_image_is_no_batch():
    with pytest.raises(ValueError, match=r"expected images \[B, H, W, C\]"):
        Shift(2)(np.zeros((32, 32, 3), np.float32))


def test_images_of_unknown_size_are_refused():
    layer = Shift(2)
    program = tf.function(lambda images: layer(images, training=True))
    with pytest.raises(
        ValueError, match=r"Shift\(max_pixels=2\): expected images \[B, H, W, C\] of known height and width"
    ):
        program.get_concrete_function(tf.TensorSpec([4, None, None, 3]))


def test_modules_of_earlier_versions_still_import():
    for name, today in augment.FORMER_MODULES.items():
        module = importlib.import_module(f"pipeline.augment.{name}")
        assert module.Augmentation is importlib.import_module(f"pipeline.augment.{today}").Augmentation
