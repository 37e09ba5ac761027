"""A classifier built again in float32 with the same weights: of its own layers, or of Keras's own layers alone.

Other runtimes refuse bfloat16, or emulate it, and have no layer of this project. Each layer of this project has a
method `stock`: its outputs, of Keras's layers with the same weights.
"""

from typing import Any

import keras
import numpy as np

from models.layers.batch_norm import FusedBatchNormalization
from models.runtime import global_settings


@global_settings.defaults()
def rebuild(model: keras.Model) -> keras.Model:
    """The classifier with the same layers and weights, computing in float32."""
    rebuilt = keras.models.clone_model(model, clone_function=_in_float32)
    rebuilt.set_weights(model.get_weights())
    return rebuilt


@global_settings.defaults()
def of_stock_layers(model: keras.Model, size: int, *, folds: bool = False) -> keras.Model:
    """The classifier of Keras's own layers, with the same weights, in float32 and without dropout.

    Args:
      model: a classifier of `models.classifier`, in any precision.
      size: pixels each way of the images that it takes.
      folds: whether the scales of normalizations behind a pooling become part of the convolution before it: `_folded`.

    Returns:
      A model uint8 [B, size, size, 3] -> float32 logits, in the structure of the classifier's.
    """
    images = keras.Input((size, size, 3), dtype="uint8", name="image")

    def outputs(layer: keras.Layer, inputs: Any, **options: Any) -> Any:
        folded = _folded(layer, inputs) if folds else None
        return _stock_outputs(layer, inputs, **options) if folded is None else folded

    return keras.models.clone_model(model, images, clone_function=lambda layer: layer, call_function=outputs)


def _folded(layer: keras.Layer, inputs: Any) -> Any | None:
    """What a normalization makes of max-pooled outputs of a stock convolution; None for other layers.

    Integers have one step for all channels of a map, so that a channel with a small scale would be rounded with the
    step of the largest one. The kernel, whose integers have a step for each filter, is multiplied by the sizes of the
    scales instead: those may change places with a maximum, their signs and the offsets may not. Converters fold
    normalizations that follow a convolution at once by themselves.
    """
    if not isinstance(layer, FusedBatchNormalization):
        return None
    pooling = inputs._keras_history.operation
    before = pooling.input._keras_history.operation if isinstance(pooling, keras.layers.MaxPooling2D) else pooling
    convolution = before.input._keras_history.operation if isinstance(before, keras.layers.Cropping2D) else before
    if before is pooling or not isinstance(convolution, keras.layers.Conv2D) or convolution.use_bias:
        return None
    scales = layer.gamma / np.sqrt(layer.moving_variance + layer.epsilon)
    convolution.kernel.assign(convolution.kernel * np.abs(scales))
    offsets = np.asarray(layer.beta - layer.moving_mean * scales)
    signs = np.where(np.asarray(scales) < 0, -1.0, 1.0)
    folded = keras.layers.Rescaling(signs.tolist(), offsets.tolist(), dtype="float32", name=layer.name)
    return folded(inputs)


def _stock_outputs(layer: keras.Layer, inputs: Any, **options: Any) -> Any:
    """What the stock layers that stand for a layer make of its symbolic inputs; `options` are those of training."""
    if hasattr(layer, "stock"):
        return layer.stock(inputs)
    if isinstance(layer, keras.layers.Dropout):
        return inputs
    copy = _in_float32(layer)
    outputs = copy(inputs)
    copy.set_weights(layer.get_weights())
    return outputs


def _in_float32(layer: keras.Layer) -> keras.Layer:
    """A new layer of the same configuration, without what is of training alone, which may be of this project."""
    config = {**layer.get_config(), "dtype": "float32"}
    config |= {name: "zeros" for name in config if name.endswith("_initializer")}  # they draw random numbers
    config |= {name: None for name in config if name.endswith(("_regularizer", "_constraint"))}
    return type(layer).from_config(config)
