"""A small modern trunk for minutes on two CPU cores.

A stem and three groups; a group is convolution, pooling, fused batch normalization and ReLU, and the later two add one
residual convolution each (after ResNet-9: Page, "How to train your ResNet", 2018). Pooling sits before normalization
and activation, so both work on a quarter of the pixels. No bias: normalization has its own.
"""

from models import layers
from models.architectures.last_block import Features, LastBlock, last_block
from models.architectures.lazy_keras import Tensor, keras

STEM_FILTERS = 32  # with 24, no multiple of 16, batch normalization was seen to take several times as long on CPUs
GROUP_FILTERS = (32, 96, 256)


def resnet9(images: Tensor, config: LastBlock, heads: tuple[str, ...]) -> Features:
    """Scaled images [B, 32, 32, 3] -> features [B, 256]."""
    x = _activated(layers.Convolution(STEM_FILTERS, 3)(images))
    *shared, last = GROUP_FILTERS
    for number, filters in enumerate(shared):
        x = _grouped(x, filters, is_residual=number > 0)

    def make(maps: Tensor) -> Tensor:
        return keras.layers.GlobalMaxPooling2D()(_grouped(maps, last, is_residual=True))

    return last_block(x, make, config, heads)


def _grouped(x: Tensor, filters: int, *, is_residual: bool) -> Tensor:
    x = _activated(keras.layers.MaxPooling2D()(layers.Convolution(filters, 3)(x)))
    return keras.layers.Add()([x, _activated(layers.Convolution(filters, 3)(x))]) if is_residual else x


def _activated(x: Tensor) -> Tensor:
    return keras.layers.ReLU()(layers.FusedBatchNormalization()(x))
