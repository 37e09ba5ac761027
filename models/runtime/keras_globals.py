"""Keras's global settings as the code here needs them, whatever keras.json or the caller's program says."""

import contextlib
from collections.abc import Iterator

import keras

from pipeline.common import environment, errors

# By the names of their functions in `keras.config`; Keras's own defaults.
DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "dtype_policy": "float32"}


@contextlib.contextmanager
def defaults() -> Iterator[None]:
    """Set Keras's global settings to their defaults until the context ends; also a decorator.

    Raises:
      errors.BadArgumentError: Keras runs on another backend than TensorFlow, or the environment would change results.
    """
    environment.check()
    if keras.config.backend() != "tensorflow":
        raise errors.BadArgumentError(
            f"KERAS_BACKEND={keras.config.backend()}: expected tensorflow; set KERAS_BACKEND=tensorflow, or correct "
            f"backend in {environment.keras_json_path()}, before Keras is imported"
        )
    before = {name: getattr(keras.config, name)() for name in DEFAULTS}
    _set(DEFAULTS)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, object]) -> None:
    for name, value in values.items():
        getattr(keras.config, f"set_{name}")(value)
