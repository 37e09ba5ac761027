"""A classifier is scaling + trunk + heads: a plain `keras.Model` that anybody may call, `fit`, save or export.

It takes images [B, 32, 32, 3], 0 to 255 (of any size where the network pools them away), and answers float32 logits:
{"fine": [B, 100], "coarse": [B, 20]}, or one of them. Augmentation is the training step's, never the model's: a saved
model cannot augment what it predicts.
"""

import contextlib
import random
from collections.abc import Iterator

import keras

from models import heads, trunk
from models.architectures.alexnet import alexnet
from models.architectures.baseline import baseline
from models.architectures.efficientnet import efficientnet_b0, efficientnet_v2_s
from models.architectures.fast import fast
from models.architectures.linear import linear
from models.architectures.residual import residual
from models.architectures.resnet import resnet
from models.architectures.study_cnn import study_cnn
from models.architectures.study_net import study_net
from models.architectures.vgg import vgg11, vgg16
from models.architectures.wide_resnet import wide_resnet
from models.config.training import TrainConfig
from models.layers.pixel_scaling import PixelScaling
from models.runtime import precision
from pipeline.common import seeds
from pipeline.resolution import FULL_SIZE

TRUNKS_OF_ANY_SIZE = {
    "residual": residual,
    "fast": fast,
    "resnet": resnet,
    "wide_resnet": wide_resnet,
    "study_net": study_net,
    "efficientnet_b0": efficientnet_b0,
    "efficientnet_v2_s": efficientnet_v2_s,
}
TRUNKS_OF_ONE_SIZE = {  # they flatten their maps into dense layers
    "baseline": baseline,
    "linear": linear,
    "study_cnn": study_cnn,
    "alexnet": alexnet,
    "vgg11": vgg11,
    "vgg16": vgg16,
}
TRUNKS = TRUNKS_OF_ANY_SIZE | TRUNKS_OF_ONE_SIZE


def takes_any_size(architecture: str) -> bool:
    """Whether the network takes images of any size, so that it can train at several resolutions."""
    return architecture in TRUNKS_OF_ANY_SIZE


def build(config: TrainConfig) -> keras.Model:
    """The model of a configuration whose `precision` is resolved; initial weights follow from its seed."""
    with precision.scope(config.precision), _initial_weights_from(seeds.derive(config.seed, "weights")[0]):
        size = None if takes_any_size(config.architecture) else FULL_SIZE
        images = keras.Input((size, size, 3), dtype="float32", name="image")
        features = TRUNKS[config.architecture](PixelScaling(config.pixel_scaling)(images), config)
        outputs = {
            name: heads.head(features[name] if isinstance(features, dict) else features, name, config)
            for name in heads.names(config.heads)
        }
        model = keras.Model(images, outputs, name=config.architecture)
    if config.freeze_trunk:
        trunk.freeze(model, config)
    return model


@contextlib.contextmanager
def _initial_weights_from(seed: int) -> Iterator[None]:
    """Let Keras's initialisers follow from `seed`: they take theirs from Python's generator, put back afterwards."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
