"""Softmax regression: the heads see the pixels and nothing else."""

from __future__ import annotations

from models.architectures.lazy_keras import keras
from pipeline.common.config import Config


def linear(images: keras.KerasTensor, config: Config, heads: tuple[str, ...]) -> keras.KerasTensor:
    """Scaled images [B, 32, 32, 3] -> the same 3,072 numbers [B, 3072]."""
    return keras.layers.Flatten()(images)
