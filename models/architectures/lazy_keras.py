"""Keras, imported at its first use: the configuration classes in these modules, and so `--help`, do not need it."""

from typing import TYPE_CHECKING, TypeAlias

from pipeline.common.lazy import LazyModule

if TYPE_CHECKING:
    import keras
else:
    keras = LazyModule("keras")

Tensor: TypeAlias = "keras.KerasTensor"

__all__ = ["Tensor", "keras"]
