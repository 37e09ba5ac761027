"""Softmax regression: the heads see the pixels and nothing else."""

import keras

from models.config.network import NetworkConfig


def linear(images: keras.KerasTensor, config: NetworkConfig) -> keras.KerasTensor:
    """Scaled images [B, 32, 32, 3] -> the same 3,072 numbers [B, 3072]."""
    return keras.layers.Flatten()(images)
