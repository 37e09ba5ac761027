"""The network of the fast recipes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config.training import TrainConfig
from models.reporting import flops
from pipeline.common import errors
from tests.models.architectures.networks import built


def test_exported_fast_network_answers_the_same_at_any_batch_size(tmp_path):
    model = built(architecture="speedrun", activation="silu", precision="mixed_bfloat16")
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for num_images in (1, 5):
        images = np.random.default_rng(0).integers(0, 256, (num_images, 32, 32, 3)).astype(np.float32)
        np.testing.assert_allclose(exported.serve(images)["fine"], model(images)["fine"], rtol=0.05, atol=0.05)


def test_fast_network_has_the_multiply_adds_of_its_recipe():
    model = built(architecture="speedrun")
    # Stem, then of each group its convolution (at 30, 14 and 6 pixels) and its pair (at 15, 7 and 3), then the heads.
    stem = 12 * 24 * 31**2
    first = 9 * 24 * 32 * 30**2 + 2 * 32 * 32 * 15**2
    second = 9 * 32 * 128 * 14**2 + (9 * 128 * 96 + 96 * 128) * 7**2
    third = 4 * 128 * 384 * 6**2 + 2 * 9 * 384 * 256 * 3**2
    assert flops.multiply_adds(model, 32) == stem + first + second + third + 384 * 120
    assert flops.multiply_adds(model, 20) < 0.4 * flops.multiply_adds(model, 32)


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


def test_trained_stem_costs_what_the_whitening_one_does():
    costs = {
        flops.multiply_adds(built(architecture="speedrun", whitening=whitening), 32) for whitening in (True, False)
    }
    assert len(costs) == 1
