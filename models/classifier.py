"""A classifier is scaling + trunk + heads: a plain `keras.Model` that anybody may call, `fit`, save or export.

It takes images [B, 32, 32, 3], 0 to 255 (of any size where the network pools them away), and answers float32 logits:
{"fine": [B, 100], "coarse": [B, 20]}, or one of them. Augmentation is the training step's, never the model's: a saved
model cannot augment what it predicts.
"""

import contextlib
import random
from collections.abc import Iterator

import keras

from models import heads, precision
from models.architectures.baseline import baseline
from models.architectures.fast import fast
from models.architectures.linear import linear
from models.architectures.residual import residual
from models.architectures.resnet import resnet
from models.architectures.wide_resnet import wide_resnet
from models.layers import PixelScaling
from models.train_config import TrainConfig
from pipeline import seeds
from pipeline.resolution import FULL_SIZE

TRUNKS_OF_ANY_SIZE = {"residual": residual, "fast": fast, "resnet": resnet, "wide_resnet": wide_resnet}
TRUNKS_OF_ONE_SIZE = {"baseline": baseline, "linear": linear}  # they flatten their maps into dense layers
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
        outputs = {name: heads.head(features, name, config.logit_scale) for name in heads.names(config.heads)}
        return keras.Model(images, outputs, name=config.architecture)


@contextlib.contextmanager
def _initial_weights_from(seed: int) -> Iterator[None]:
    """Let Keras's initialisers follow from `seed`: they take theirs from Python's generator, put back afterwards."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
