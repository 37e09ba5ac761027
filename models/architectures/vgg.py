"""VGG-11 and VGG-16 with batch normalization, in their CIFAR form with the two wide dense layers.

Simonyan & Zisserman 2014 (arXiv 1409.1556); the form for small images as in weiaicunzai/pytorch-cifar100: five poolings
leave one pixel of 512 channels, then 4096, 4096 and the head. Convolutions have no bias, since normalization has its
own; with those (2,752 of VGG-11, 4,224 of VGG-16) the parameters would be that repository's, 28,518,244 and 34,015,396.
"""

from models import layers
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import Config

GROUP_FILTERS = (64, 128, 256, 512, 512)
DENSE_UNITS = 4096
DENSE_DROPOUT = 0.5
NORM_MOMENTUM = 0.9


def vgg11(images: Tensor, config: Config, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, 32, 32, 3] -> features [B, 4096]."""
    return _vgg(images, (1, 1, 2, 2, 2))


def vgg16(images: Tensor, config: Config, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, 32, 32, 3] -> features [B, 4096]."""
    return _vgg(images, (2, 2, 3, 3, 3))


def _vgg(x: Tensor, convolutions_of_groups: tuple[int, ...]) -> Tensor:
    for filters, num_convolutions in zip(GROUP_FILTERS, convolutions_of_groups, strict=True):
        for _ in range(num_convolutions):
            x = layers.FusedBatchNormalization(momentum=NORM_MOMENTUM)(layers.Convolution(filters, 3)(x))
            x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    for _ in range(2):
        x = keras.layers.Dense(DENSE_UNITS, activation="relu", kernel_initializer="he_normal")(x)
        x = keras.layers.Dropout(DENSE_DROPOUT)(x)
    return x
