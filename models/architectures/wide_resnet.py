"""Wide residual networks, WRN-depth-factor: normalization and ReLU before each convolution.

Zagoruyko & Komodakis 2016 (arXiv 1605.07146): 16, 32 and 64 filters times the factor, dropout between the two
convolutions of a block.
"""

import dataclasses

from models import layers
from models.architectures.fields import Dropped
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common import errors
from pipeline.common.config import setting

GROUP_FILTERS = (16, 32, 64)
NORM_MOMENTUM = 0.9


@dataclasses.dataclass(frozen=True)
class WideResNet(Dropped):
    """Fields of wide_resnet."""

    depth: int = setting(28, "number of layers; 6 n + 4, such as 16, 22 or 28", low=10)
    widen_factor: int = setting(10, "multiplier of the three groups' filters, which are 16, 32 and 64 at 1", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.depth - 4) % 6:
            raise errors.BadArgumentError(f"depth={self.depth}: expected 6 n + 4, such as 16, 22 or 28")


def wide_resnet(images: Tensor, config: WideResNet, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, H, W, 3] -> features [B, 64 x `widen_factor`]."""
    x = layers.Convolution(GROUP_FILTERS[0], 3)(images)
    for group, filters in enumerate(GROUP_FILTERS):
        for block in range((config.depth - 4) // 6):
            stride = 2 if group > 0 and block == 0 else 1
            x = _block(x, filters * config.widen_factor, stride, config.dropout)
    return keras.layers.GlobalAveragePooling2D()(_activated(x))


def _block(x: Tensor, filters: int, stride: int, dropout: float) -> Tensor:
    """Two convolutions with a shortcut; where shapes differ the shortcut is a projection of the activations."""
    activated = _activated(x)
    inner = _activated(layers.Convolution(filters, 3, strides=stride)(activated))
    if dropout:
        inner = keras.layers.Dropout(dropout)(inner)
    inner = layers.Convolution(filters, 3)(inner)
    if x.shape[-1] != filters:
        x = layers.Convolution(filters, 1, strides=stride)(activated)
    return keras.layers.Add()([x, inner])


def _activated(x: Tensor) -> Tensor:
    return keras.layers.ReLU()(layers.FusedBatchNormalization(momentum=NORM_MOMENTUM)(x))
