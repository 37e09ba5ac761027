"""A classifier is scaling + trunk + heads: a plain `keras.Model` that anybody may call, `fit`, save or export.

It takes images [B, 32, 32, 3], 0 to 255, and answers float32 logits: {"fine": [B, 100], "coarse": [B, 20]}, or one of
them. Augmentation is the training step's, never the model's: a saved model cannot augment what it predicts.
"""

import keras

from models import heads, precision
from models.architectures.baseline import baseline
from models.architectures.linear import linear
from models.architectures.residual import residual
from models.layers import PixelScaling
from models.train_config import TrainConfig
from pipeline import seeds

TRUNKS = {"residual": residual, "baseline": baseline, "linear": linear}
LOGIT_SCALES = {"residual": 0.125, "baseline": 1.0, "linear": 1.0}


def build(config: TrainConfig) -> keras.Model:
    """The model of a configuration whose `precision` is resolved; initial weights follow from its seed."""
    keras.utils.set_random_seed(abs(seeds.derive(config.seed, "weights")[0]))
    with precision.scope(config.precision):
        images = keras.Input((32, 32, 3), dtype="float32", name="image")
        features = TRUNKS[config.architecture](PixelScaling(config.pixel_scaling)(images))
        logit_scale = LOGIT_SCALES[config.architecture]
        outputs = {name: heads.head(features, name, logit_scale) for name in heads.names(config.heads)}
        return keras.Model(images, outputs, name=config.architecture)
