"""A classifier built again in float32 with the same weights: of its own layers, or of Keras's own layers alone.

Other runtimes refuse bfloat16, or emulate it, and have no layer of this project. Each layer of this project has a
method `stock`: its outputs, of Keras's layers with the same weights.
"""

from typing import Any

import keras

from models.runtime import global_settings


@global_settings.defaults()
def rebuild(model: keras.Model) -> keras.Model:
    """The classifier with the same layers and weights, computing in float32."""
    rebuilt = keras.models.clone_model(model, clone_function=_in_float32)
    rebuilt.set_weights(model.get_weights())
    return rebuilt


@global_settings.defaults()
def of_stock_layers(model: keras.Model, size: int, dtype: str = "uint8") -> keras.Model:
    """The classifier of Keras's own layers, with the same weights, in float32 and without dropout.

    Args:
      model: a classifier of `models.classifier`, in any precision.
      size: pixels each way of the images that it takes.
      dtype: of the images, "uint8" or "float32"; their values are 0 to 255 in both.

    Returns:
      A model [B, size, size, 3] -> float32 logits, in the structure of the classifier's.
    """
    images = keras.Input((size, size, 3), dtype=dtype, name="image")
    return keras.models.clone_model(model, images, clone_function=lambda layer: layer, call_function=_stock_outputs)


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
