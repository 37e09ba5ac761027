"""Dirac (identity) initialization of convolution kernels."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("streaming_cifar100")
class DiracInitializer(keras.initializers.VarianceScaling):
    """Initialises one filter a channel to the identity, and the remaining filters to small uniform noise.

    The layer then preserves its input at first (Zagoruyko & Komodakis 2017, arXiv 1706.00388; for part of the filters:
    Jordan 2024, arXiv 2404.00498, with PyTorch's noise, of variance 1 / (3 fan in)).
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1 / 3, mode="fan_in", distribution="uniform", seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        """float32 kernel [height, width, channels, filters]."""
        kernel = np.array(super().__call__(shape, dtype), np.float32)
        height, width, channels, filters = shape
        identity = np.arange(min(channels, filters))
        kernel[..., identity] = 0.0
        kernel[(height - 1) // 2, (width - 1) // 2, identity, identity] = 1.0
        return tf.constant(kernel)

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make it again."""
        return {"seed": super().get_config()["seed"]}
