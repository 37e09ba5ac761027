"""ResNet-18 in its CIFAR form: a stem of one 3 x 3 convolution, no pooling before the blocks.

He, Zhang, Ren & Sun 2015 (arXiv 1512.03385); the form for small images as in weiaicunzai/pytorch-cifar100.
"""

from models import layers
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import Config

GROUP_FILTERS = (64, 128, 256, 512)
BLOCKS_A_GROUP = 2
NORM_MOMENTUM = 0.9


def resnet18(images: Tensor, config: Config, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, H, W, 3] -> features [B, 512]."""
    x = keras.layers.ReLU()(_normalised(layers.Convolution(GROUP_FILTERS[0], 3)(images)))
    for group, filters in enumerate(GROUP_FILTERS):
        for block in range(BLOCKS_A_GROUP):
            x = _block(x, filters, stride=2 if group > 0 and block == 0 else 1)
    return keras.layers.GlobalAveragePooling2D()(x)


def _block(x: Tensor, filters: int, stride: int) -> Tensor:
    """Two convolutions with a shortcut, which is a projection where shapes differ."""
    inner = keras.layers.ReLU()(_normalised(layers.Convolution(filters, 3, strides=stride)(x)))
    inner = _normalised(layers.Convolution(filters, 3)(inner))
    if stride > 1 or x.shape[-1] != filters:
        x = _normalised(layers.Convolution(filters, 1, strides=stride)(x))
    return keras.layers.ReLU()(keras.layers.Add()([x, inner]))


def _normalised(x: Tensor) -> Tensor:
    return layers.FusedBatchNormalization(momentum=NORM_MOMENTUM)(x)
