"""Keras's and TensorFlow's global settings as the code here needs them, whatever the user or the caller has set."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from pipeline.common import environment, errors

# By the names of their functions in `keras.config`; Keras's own defaults.
KERAS_DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "dtype_policy": "float32"}


@contextlib.contextmanager
def defaults() -> Iterator[None]:
    """Set the global settings to their defaults until the context ends; also a decorator.

    TensorFlow neither clusters operations for XLA, which draws other random numbers, nor lowers their precision.

    Raises:
      errors.BadArgumentError: Keras runs on another backend than TensorFlow, or the environment would change results.
    """
    environment.check()
    if keras.config.backend() != "tensorflow":
        raise errors.BadArgumentError(
            f"KERAS_BACKEND={keras.config.backend()}: expected tensorflow; set KERAS_BACKEND=tensorflow, or correct "
            f"backend in {environment.keras_json_path()}, before Keras is imported"
        )
    of_keras = {name: getattr(keras.config, name)() for name in KERAS_DEFAULTS}
    clusters = bool(tf.config.optimizer.get_jit())
    rewrites = {name: on for name, on in tf.config.optimizer.get_experimental_options().items() if "precision" in name}
    _set(KERAS_DEFAULTS, False, dict.fromkeys(rewrites, False))
    try:
        yield
    finally:
        _set(of_keras, clusters, rewrites)


def _set(of_keras: dict[str, object], clusters: bool, rewrites: dict[str, bool]) -> None:
    for name, value in of_keras.items():
        getattr(keras.config, f"set_{name}")(value)
    tf.config.optimizer.set_jit(clusters)
    tf.config.optimizer.set_experimental_options(rewrites)
