"""Transforms as layers of somebody's model, in `dataset.map`, and called by themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.augment.color import ColorJitter
from pipeline.augment.erasing import RandomErasing
from pipeline.augment.geometric import Rotation
from pipeline.augment.mixing import CutMix, MixUp, MixUpOrCutMix
from pipeline.augment.policies import AugMix, TrivialAugmentWide
from pipeline.augment.windows import Crop


class Subclassed(keras.Model):
    """A model that passes `training` on by Keras's call context alone."""

    def __init__(self, layers):
        super().__init__()
        self.parts = layers

    def call(self, images, training=None):
        for part in self.parts:
            images = part(images)
        return images


def identity():
    """A layer with weights, without which `fit` warns."""
    return keras.layers.Dense(3, use_bias=False, kernel_initializer="identity")


def sequential(*layers):
    return keras.Sequential([keras.Input((32, 32, 3)), *layers, identity()])


def functional(*layers):
    images = outputs = keras.Input((32, 32, 3))
    for layer in (*layers, identity()):
        outputs = layer(outputs)
    return keras.Model(images, outputs)


def nested(*layers):
    return functional(sequential(*layers))


def subclassed(*layers):
    return Subclassed([*layers, identity()])


def compiled(model, **values):
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mae", **values)
    return model


models = pytest.mark.parametrize("build", [sequential, functional, nested, subclassed])


@models
def test_in_a_model_it_augments_in_fit_alone(build, images, tmp_path):
    model = compiled(build(Rotation(90.0)))
    np.testing.assert_array_equal(model(images), images)
    np.testing.assert_array_equal(model(images, training=False), images)
    np.testing.assert_array_equal(model.predict(images, verbose=0), images)
    assert model.evaluate(images, images, verbose=0) == 0.0
    assert model.fit(images, images, verbose=0).history["loss"][0] > 1.0
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_array_equal(exported.serve(images), images)


@models
def test_mixer_in_a_model_is_refused_in_training_alone(build, images, tmp_path):
    """Labels are out of its reach: keras-team/keras-cv#453."""
    model = compiled(build(CutMix()))
    np.testing.assert_array_equal(model(images), images)
    np.testing.assert_array_equal(model.predict(images, verbose=0), images)
    assert model.evaluate(images, images, verbose=0) == 0.0
    with pytest.raises(ValueError, match=r"CutMix.*not their labels.*mix_labels"):
        model.fit(images, images, verbose=0)
    if isinstance(model, keras.Sequential):
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.predict(images, verbose=0), images)


@pytest.mark.parametrize("mixer", [MixUp, CutMix, MixUpOrCutMix])
def test_mixer_by_itself_is_refused(mixer, images):
    layer, dataset = mixer(), tf.data.Dataset.from_tensors(images)
    for call in (lambda: layer(images), lambda: layer(images, training=True), lambda: dataset.map(layer)):
        with pytest.raises(ValueError, match="not their labels"):
            call()
    np.testing.assert_array_equal(layer(images, training=False), images)


def test_dataset_map_augments(images):
    """Nothing there says that it is training: keras-team/keras-cv#1659."""
    layer = Rotation(90.0)
    (found,) = tf.data.Dataset.from_tensors(images).map(layer)
    assert (found.numpy() != images).any()


def test_dataset_map_of_pairs_is_refused_with_what_to_write(images):
    """keras-team/keras-cv#450: the labels were taken for `training`."""
    pairs = tf.data.Dataset.from_tensors((images, np.arange(16)))
    for layer in (Rotation(), CutMix()):
        with pytest.raises(ValueError, match="lambda images, labels"):
            pairs.map(layer)
    with pytest.raises(ValueError, match="got dict"):
        CutMix()({"images": images, "labels": np.arange(16)})


def test_training_is_a_truth_value(images):
    with pytest.raises(ValueError, match=r"training=.*expected True or False"):
        Rotation()(images, training=np.arange(16))


@pytest.mark.parametrize("layer", [ColorJitter(), RandomErasing(), AugMix(), Rotation()], ids=repr)
@pytest.mark.parametrize("scale", [lambda x: x / 255.0, lambda x: x / 127.5 - 1.0, lambda x: (x - 120.0) / 60.0])
def test_scaled_pixels_are_refused(layer, scale, images):
    """They would be clipped or filled as if they were 0 to 255: keras-team/keras-cv#1407."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected pixels from 0 to 255"):
        layer(scale(images))
    layer(images / 255.0, training=False)


def test_scaled_pixels_are_refused_in_fit(images):
    model = compiled(sequential(ColorJitter()))
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected pixels from 0 to 255"):
        model.fit(images / 255.0, images, verbose=0)


def test_dark_images_are_not_taken_for_scaled_ones():
    for dark in (np.zeros((2, 32, 32, 3), np.float32), np.ones((2, 32, 32, 3), np.uint8)):
        assert Rotation()(dark).shape == (2, 32, 32, 3)


@pytest.mark.parametrize("shape", [(8, 3, 32, 32), (8, 1, 32, 32)])
def test_channels_first_is_refused(shape, monkeypatch):
    """A flip would turn rows for columns in silence: keras-team/keras#2286."""
    with pytest.raises(ValueError, match=r"channels last, got \(8, \d, 32, 32\)"):
        Rotation()(np.zeros(shape, np.float32))


@pytest.mark.parametrize("size", [8, 33, 224])
def test_other_sizes_and_odd_ones(size):
    square = np.random.default_rng(0).integers(0, 256, (2, size, size - 1, 3)).astype(np.uint8)
    for layer in (Rotation(), ColorJitter(), RandomErasing(), TrivialAugmentWide()):
        assert layer(square).shape == square.shape
    with pytest.raises(ValueError, match=r"^(Exception.*|size=32.*)"):
        Crop(size=size + 20, padding=4)(square)


def test_compiled_fit_warns_and_draws_without_xla(images):
    with pytest.warns(UserWarning, match="jit_compile"):
        model = compiled(sequential(Rotation(90.0)), jit_compile=True)
    assert model.fit(images, images, verbose=0).history["loss"][0] > 1.0
