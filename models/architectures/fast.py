"""The network of the fast recipes: a whitening stem and three groups, most of their width where images are smallest.

After NAVIER-STOKED (AIDDA-Institute/CIFAR-100-speedrun) and airbench (Jordan 2024, arXiv 2404.00498). A group is a
convolution, pooling, normalisation and activation, then a residual pair of convolutions through a bottleneck; pooling
sits before normalisation, so that everything behind it works on a quarter of the pixels.
"""

import keras

from models import heads
from models.config.network import NetworkConfig
from models.layers import whitening
from models.layers.activation import Activation
from models.layers.batch_norm import FusedBatchNormalization
from models.layers.convolution import Convolution
from models.layers.dirac import DiracInitializer

# Of each group: the kernel sizes of its first convolution and of its residual pair.
KERNELS = ((3, 1, 1), (3, 3, 1), (2, 3, 3))


def fast(images: keras.KerasTensor, config: NetworkConfig) -> heads.Features:
    """Scaled images [B, H, W, 3] -> features [B, the last group's filters]: each one's maximum and mean, added."""
    x = whitening.layer()(images) if config.whitening else _trained_stem(config)(images)
    x = _activation(config)(x)
    *shared, last = zip(config.group_widths, config.group_bottlenecks, KERNELS, strict=True)
    for group in shared:
        x = _grouped(x, *group, config)
    return heads.last_block(
        x, lambda maps: _pooled(_grouped(maps, *last, config)), config.heads, config.separate_blocks
    )


def _grouped(
    x: keras.KerasTensor, filters: int, bottleneck: int, kernels: tuple[int, int, int], config: NetworkConfig
) -> keras.KerasTensor:
    x = keras.layers.MaxPooling2D()(_convolved(x, filters, kernels[0], config, even_outputs=True))
    x = _activated(x, config)
    pair = _activated(_convolved(x, bottleneck, kernels[1], config), config)
    pair = _activated(_convolved(pair, filters, kernels[2], config), config)
    return keras.layers.Add()([x, pair])


def _pooled(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Add()([keras.layers.GlobalMaxPooling2D()(x), keras.layers.GlobalAveragePooling2D()(x)])


def _trained_stem(config: NetworkConfig) -> keras.layers.Layer:
    """As large as the whitening one, so that everything behind it costs the same."""
    return keras.layers.Conv2D(
        whitening.NUM_FILTERS, whitening.PATCH, use_bias=False, kernel_initializer=_initializer(config)
    )


def _initializer(config: NetworkConfig) -> keras.initializers.Initializer:
    return DiracInitializer() if config.dirac else keras.initializers.HeNormal()


def _convolved(
    x: keras.KerasTensor, filters: int, kernel_size: int, config: NetworkConfig, even_outputs: bool = False
) -> keras.KerasTensor:
    return Convolution(filters, kernel_size, _initializer(config), even_outputs)(x)


def _activated(x: keras.KerasTensor, config: NetworkConfig) -> keras.KerasTensor:
    normalised = FusedBatchNormalization(momentum=config.norm_momentum, scale=config.norm_scale)(x)
    return _activation(config)(normalised)


def _activation(config: NetworkConfig) -> keras.layers.Layer:
    return Activation(config.activation, compiled=config.jit_compile != "off")
