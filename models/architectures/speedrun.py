"""The network of the fast recipes: a whitening stem and three groups, most of their width where images are smallest.

After NAVIER-STOKED (AIDDA-Institute/CIFAR-100-speedrun) and airbench (Jordan 2024, arXiv 2404.00498). A group is a
convolution, pooling, normalization and activation, then a residual pair of convolutions through a bottleneck; pooling
sits before normalization, so that everything behind it works on a quarter of the pixels.
"""

import dataclasses

from models import layers
from models.architectures.fields import JIT_COMPILE, Activated
from models.architectures.last_block import Features, LastBlock, last_block
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import setting

# Of each group: the kernel sizes of its first convolution and of its residual pair.
KERNELS = ((3, 1, 1), (3, 3, 1), (2, 3, 3))


@dataclasses.dataclass(frozen=True)
class Speedrun(LastBlock, Activated):
    """Fields of speedrun."""

    widths: tuple[int, int, int] = setting((32, 128, 384), "filters of each of the three groups", low=1)
    bottlenecks: tuple[int, int, int] = setting(
        (32, 96, 256), "filters inside the residual pair of each of the three groups", low=1
    )
    whitening: bool = setting(
        True, "frozen whitening filters in the first convolution, computed from training images; else trained filters"
    )
    dirac: bool = setting(True, "Dirac (identity) initialization of convolutions, else He normal")
    norm_scale: bool = setting(True, "learn a scale (gamma) in addition to the offset (beta) in batch normalization")
    norm_momentum: float = setting(0.9, "momentum of the moving averages in batch normalization", low=0.0, high=1.0)
    jit_compile: str = JIT_COMPILE


def speedrun(images: Tensor, config: Speedrun, heads: tuple[str, ...]) -> Features:
    """Scaled images [B, H, W, 3] -> features [B, the last group's filters]: each one's maximum and mean, added."""
    x = _activation(config)(_stem(config)(images))
    *shared, last = zip(config.widths, config.bottlenecks, KERNELS, strict=True)
    for group in shared:
        x = _grouped(x, *group, config)
    return last_block(x, lambda maps: _pooled(_grouped(maps, *last, config)), config, heads)


def _grouped(x: Tensor, filters: int, bottleneck: int, kernels: tuple[int, int, int], config: Speedrun) -> Tensor:
    x = keras.layers.MaxPooling2D()(_convolved(x, filters, kernels[0], config, even_outputs=True))
    x = _activated(x, config)
    pair = _activated(_convolved(x, bottleneck, kernels[1], config), config)
    pair = _activated(_convolved(pair, filters, kernels[2], config), config)
    return keras.layers.Add()([x, pair])


def _pooled(x: Tensor) -> Tensor:
    return keras.layers.Add()([keras.layers.GlobalMaxPooling2D()(x), keras.layers.GlobalAveragePooling2D()(x)])


def _stem(config: Speedrun) -> "keras.layers.Layer":
    """Computed or trained, and as large either way, so that everything behind it costs the same."""
    whitening = layers.whitening
    if config.whitening:
        return whitening.layer()
    initializer = _initializer(config)
    return keras.layers.Conv2D(whitening.NUM_FILTERS, whitening.PATCH, use_bias=False, kernel_initializer=initializer)


def _initializer(config: Speedrun) -> "keras.initializers.Initializer":
    return layers.DiracInitializer() if config.dirac else keras.initializers.HeNormal()


def _convolved(x: Tensor, filters: int, kernel_size: int, config: Speedrun, even_outputs: bool = False) -> Tensor:
    return layers.Convolution(filters, kernel_size, _initializer(config), even_outputs)(x)


def _activated(x: Tensor, config: Speedrun) -> Tensor:
    x = layers.FusedBatchNormalization(momentum=config.norm_momentum, scale=config.norm_scale)(x)
    return _activation(config)(x)


def _activation(config: Speedrun) -> "keras.layers.Layer":
    return layers.Activation(config.activation, compiled=config.jit_compile != "off")
