"""Dirac (identity) initialisation of convolution kernels."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("streaming_cifar100")
class DiracInitializer(keras.initializers.VarianceScaling):
    """As many filters as there are channels hand their channel on unchanged, the others begin as faint noise.

    A convolution so begun loses nothing of what came to it (Zagoruyko & Komodakis 2017, arXiv 1706.00388; for part of
    the filters: Jordan 2024, arXiv 2404.00498, with PyTorch's noise: uniform, of variance 1 / (3 fan in)).
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1 / 3, mode="fan_in", distribution="uniform", seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        """float32 kernel [height, width, channels, filters]."""
        kernel = np.array(super().__call__(shape, dtype), np.float32)
        height, width, channels, filters = shape
        num_handed_on = min(channels, filters)
        kernel[..., :num_handed_on] = 0.0
        handed_on = np.arange(num_handed_on)
        kernel[(height - 1) // 2, (width - 1) // 2, handed_on, handed_on] = 1.0
        return tf.constant(kernel)

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make it again."""
        return {"seed": super().get_config()["seed"]}
