"""Wide residual networks, WRN-depth-factor: normalisation and ReLU before each convolution.

Zagoruyko & Komodakis 2016 (arXiv 1605.07146): 16, 32 and 64 filters times the factor, dropout between the two
convolutions of a block.
"""

import keras

from models.config.network import NetworkConfig
from models.layers.batch_norm import FusedBatchNormalization
from models.layers.convolution import Convolution

GROUP_FILTERS = (16, 32, 64)
NORM_MOMENTUM = 0.9


def wide_resnet(images: keras.KerasTensor, config: NetworkConfig) -> keras.KerasTensor:
    """Scaled images [B, H, W, 3] -> features [B, 64 x `widen_factor`]."""
    x = Convolution(GROUP_FILTERS[0], 3)(images)
    for group, filters in enumerate(GROUP_FILTERS):
        for block in range((config.depth - 4) // 6):
            stride = 2 if group > 0 and block == 0 else 1
            x = _block(x, filters * config.widen_factor, stride, config.dropout)
    return keras.layers.GlobalAveragePooling2D()(_activated(x))


def _block(x: keras.KerasTensor, filters: int, stride: int, dropout: float) -> keras.KerasTensor:
    """Two convolutions beside a way past them; where shapes differ that way is projected, activated first."""
    activated = _activated(x)
    inner = _activated(Convolution(filters, 3, strides=stride)(activated))
    if dropout:
        inner = keras.layers.Dropout(dropout)(inner)
    inner = Convolution(filters, 3)(inner)
    if x.shape[-1] != filters:
        x = Convolution(filters, 1, strides=stride)(activated)
    return keras.layers.Add()([x, inner])


def _activated(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.ReLU()(FusedBatchNormalization(momentum=NORM_MOMENTUM)(x))
