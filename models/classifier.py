"""A classifier is scaling + trunk + heads: a plain `keras.Model` that can be called, fitted, saved and exported.

Input: images [B, S, S, 3], 0 to 255; networks that end in global pooling take any size. Output: float32 logits
{"fine": [B, classes], "coarse": [B, superclasses]}, or one of them. The training step augments, never the model: a
saved model does not augment the images that it classifies.
"""

import contextlib
import random
import threading
from collections.abc import Iterator

import keras

from models import heads, layers, trunk
from models.architectures import BUILDERS
from models.config.training import TrainConfig
from models.runtime import global_settings, precision
from pipeline.common import seeds
from pipeline.datasets.description import Description

layers.register()
_building = threading.Lock()  # of one model at a time: the generator is of all threads


@global_settings.defaults()
def build(config: TrainConfig, description: Description, input_size: int = 0) -> keras.Model:
    """The model of a configuration for a data set; initial weights follow from the configuration's seed.

    Its `precision` is resolved, and the configuration `fitted` to the data set. A network of one size takes images with
    `input_size` pixels each way, 0 for whole ones of the data set.
    """
    with precision.scope(config.precision), _initial_weights_from(seeds.derive(config.seed, "weights")[0]):
        architecture, counts = BUILDERS[config.architecture], description.classes.counts
        size = None if architecture.takes_any_size else input_size or description.image_size
        images = keras.Input((size, size, 3), dtype="float32", name="image")
        means, deviations = description.channel_means, description.channel_deviations
        scaled = layers.PixelScaling(config.pixel_scaling, means, deviations)(images)
        features = architecture.build(scaled, config.network, config.head_names)
        outputs = {
            name: heads.head(features[name] if isinstance(features, dict) else features, name, config, counts[name])
            for name in config.head_names
        }
        model = keras.Model(images, outputs, name=config.architecture)
    for layer in model.layers if config.get("sync_batch_norm", False) else ():
        if isinstance(layer, layers.FusedBatchNormalization):
            layer.synchronized = True
    if config.freeze_trunk:
        trunk.freeze(model, config)
    return model


@contextlib.contextmanager
def _initial_weights_from(seed: int) -> Iterator[None]:
    """Let Keras's initializers follow from `seed`: they take theirs from Python's generator, put back afterwards."""
    with _building:
        before = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)
