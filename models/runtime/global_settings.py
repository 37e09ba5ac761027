"""Keras's and TensorFlow's global settings as the code here needs them, whatever the user or the caller has set."""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from pipeline.common import errors
from pipeline.common.process import environment

# By the names of their functions in `keras.config`; Keras's own defaults. Its dtype policy is each thread's own.
KERAS_DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
DTYPE_POLICY = "float32"
_lock = threading.Lock()
_before: list["_Settings"] = []  # of each call under way; two threads may leave in another order than they entered


@dataclasses.dataclass(frozen=True)
class _Settings:
    """Settings of the process: Keras's, whether TensorFlow clusters for XLA, and its changes of precision."""

    keras: Mapping[str, Any]
    clusters: bool
    precisions: Mapping[str, bool]

    @classmethod
    def current(cls) -> "_Settings":
        of_keras = {name: getattr(keras.config, name)() for name in KERAS_DEFAULTS}
        options = tf.config.optimizer.get_experimental_options()
        precisions = {name: on for name, on in options.items() if "precision" in name}
        return cls(of_keras, bool(tf.config.optimizer.get_jit()), precisions)

    def set(self) -> None:
        for name, value in self.keras.items():
            getattr(keras.config, f"set_{name}")(value)
        tf.config.optimizer.set_jit(self.clusters)
        tf.config.optimizer.set_experimental_options(self.precisions)


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
    policy = keras.config.dtype_policy()
    with _lock:
        _before.append(_Settings.current())
        _Settings(KERAS_DEFAULTS, False, dict.fromkeys(_before[-1].precisions, False)).set()
    keras.config.set_dtype_policy(DTYPE_POLICY)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        with _lock:
            _before.pop().set()
