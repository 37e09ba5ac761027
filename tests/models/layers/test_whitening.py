"""The whitening stem: what it does to the images that it was computed from."""

import keras
import numpy as np
import pytest

from models import classifier
from models.config.training import TrainConfig
from models.layers import whitening
from tests.descriptions import CIFAR100


@pytest.fixture
def images() -> np.ndarray:
    """Images whose neighbouring pixels and channels go together, as photographs' do."""
    generator = np.random.default_rng(0)
    coarse = generator.normal(128, 50, (200, 9, 9, 1)).repeat(4, axis=1).repeat(4, axis=2)[:, :32, :32]
    return np.clip(coarse + generator.normal(0, 15, (200, 32, 32, 3)), 0, 255).astype(np.uint8)


def test_outputs_are_uncorrelated_and_of_unit_variance(images):
    model = classifier.build(TrainConfig(architecture="speedrun", precision="float32"), CIFAR100)
    whitening.fit(model, images)
    stem = model.get_layer(whitening.LAYER)
    scaled = (images - np.array([129.304, 124.070, 112.434])) / np.array([68.170, 65.392, 70.418])
    answers = stem(scaled.astype(np.float32)).numpy().reshape(-1, whitening.NUM_FILTERS)
    moments = answers.T @ answers / len(answers)
    half = whitening.NUM_FILTERS // 2
    np.testing.assert_allclose(moments[:half, :half], np.eye(half), atol=0.06)
    np.testing.assert_allclose(moments[half:, :half], -moments[:half, :half], atol=1e-4)


def test_stem_is_frozen_and_belongs_to_the_fast_network_alone(images):
    model = classifier.build(TrainConfig(architecture="speedrun", precision="float32"), CIFAR100)
    (kernel,) = model.get_layer(whitening.LAYER).weights
    assert not any(kernel is variable for variable in model.trainable_variables)
    assert whitening.has_stem(model)
    for other in (TrainConfig(architecture="speedrun", whitening=False), TrainConfig()):
        assert not whitening.has_stem(
            classifier.build(other.__class__(**{**other.as_dict(), "precision": "float32"}), CIFAR100)
        )


def test_activation_keeps_one_half_of_each_component(images):
    # Without it a filter and its negative would tell the next convolution the same.
    model = classifier.build(TrainConfig(architecture="speedrun", activation="relu", precision="float32"), CIFAR100)
    whitening.fit(model, images)
    (behind,) = (node.operation for node in model.get_layer(whitening.LAYER)._outbound_nodes)
    assert isinstance(behind, keras.layers.Activation)
    answers = keras.Model(model.input, behind.output)(images[:4]).numpy()
    half = whitening.NUM_FILTERS // 2
    assert (answers >= 0).all()
    assert not (answers[..., :half] * answers[..., half:]).any()


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_filters_of_constant_images_are_finite(value):
    """They have no variance to divide by."""
    assert np.isfinite(whitening.kernel(np.full((10, 8, 8, 3), value, np.float32))).all()
