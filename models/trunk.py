"""The part of a classifier before its heads: extracting, freezing and dividing it."""

import keras

from models.architectures.last_block import BEFORE_LAST_BLOCK
from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.datasets.description import LEVELS


def feature_extractor(model: keras.Model) -> keras.Model:
    """The layers of a classifier before its heads, as a model that shares them: images -> the features of each head."""
    heads = tuple(f"{name}_" for name in LEVELS)
    inputs = [
        layer.input
        for head in heads  # not as the model has them, which depends on how deep each head is
        for layer in model.layers
        if layer.name.startswith(head) and not layer.input._keras_history.operation.name.startswith(heads)
    ]
    return keras.Model(model.input, list({id(features): features for features in inputs}.values()))


def frozen_part(model: keras.Model, config: TrainConfig) -> keras.Model:
    """The layers that `freeze` makes untrainable, as a model: the trunk, or all before its last block."""
    return before_last_block(model) if config.get("unfreeze_last_block", False) else feature_extractor(model)


def freeze(model: keras.Model, config: TrainConfig) -> None:
    """Make the frozen part of a classifier untrainable, moving statistics included."""
    for layer in frozen_part(model, config).layers:
        layer.trainable = False


def before_last_block(model: keras.Model) -> keras.Model:
    """The layers before a trunk's last block, as a model that shares them: images -> maps.

    Raises:
      errors.FailedError: the network has no mark there; an earlier version built it.
    """
    try:
        maps = model.get_layer(BEFORE_LAST_BLOCK).output
    except ValueError as error:
        raise errors.FailedError(
            f"unfreeze_last_block=True: an earlier version built the network {model.name!r} of the trunk's run, "
            "without a mark before its last block; train it again with another --run_dir"
        ) from error
    return keras.Model(model.input, maps)


def last_blocks(model: keras.Model) -> list[keras.Model]:
    """The last block of all heads, or each head's, as models that share its layers: maps -> features."""
    maps = before_last_block(model).output
    return [keras.Model(maps, features) for features in feature_extractor(model).outputs]
