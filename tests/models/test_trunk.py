"""The part of a classifier before its heads is found whatever the heads are."""

import keras
import numpy as np
import pytest

from models import classifier, trunk
from models.config.training import TrainConfig
from tests.descriptions import CIFAR100

NETWORK = {"architecture": "speedrun", "widths": "8,8,16", "bottlenecks": "8,8,16", "precision": "float32"}


def trunk_weights(model: keras.Model) -> list[np.ndarray]:
    return trunk.feature_extractor(model).get_weights()


@pytest.mark.parametrize(
    "heads", [{}, {"fine_hidden_layers": 3, "fine_dropout": 0.3}, {"coarse_hidden_layers": 1}, {"heads": "coarse"}]
)
def test_trunk_is_the_same_part_whatever_the_heads(heads):
    shapes = [weight.shape for weight in trunk_weights(classifier.build(TrainConfig(**NETWORK), CIFAR100))]
    assert shapes == [
        weight.shape for weight in trunk_weights(classifier.build(TrainConfig(**NETWORK, **heads), CIFAR100))
    ]
    assert (100, 16) not in shapes


def test_trunk_of_separate_blocks_keeps_each_to_its_head():
    """Heads of different depth; the blocks, alike in shape, must not change places."""
    deep = {"separate_blocks": True, "fine_hidden_layers": 2}
    plain, other = (
        classifier.build(TrainConfig(**NETWORK, **more), CIFAR100) for more in ({"separate_blocks": True}, deep)
    )
    trunk.feature_extractor(other).set_weights(trunk_weights(plain))
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    features = [
        {name: keras.Model(model.input, model.get_layer(layer).input)(images) for name, layer in layers.items()}
        for model, layers in (
            (plain, {"fine": "fine_logits", "coarse": "coarse_logits"}),
            (other, {"fine": "fine_hidden_1", "coarse": "coarse_logits"}),
        )
    ]
    for name in ("fine", "coarse"):
        np.testing.assert_array_equal(features[0][name], features[1][name])
