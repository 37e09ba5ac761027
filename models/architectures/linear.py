"""Softmax regression: the features are the pixels."""

from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import Config


def linear(images: Tensor, config: Config, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, 32, 32, 3] -> the same 3,072 numbers [B, 3072]."""
    return keras.layers.Flatten()(images)
