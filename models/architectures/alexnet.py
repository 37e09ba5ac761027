"""AlexNet in its CIFAR form: five convolutions, the first with stride 4, and no dense layer but the head.

Krizhevsky, Sutskever & Hinton 2012; the form for small images as in bearpaw/pytorch-classification, which publishes
43.87 % on CIFAR-100 for it. Here as there: 2,495,396 parameters with one fine head, no normalization, no dropout.
"""

from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import Config

# Of each convolution: filters, kernel size, stride, and whether pooling follows.
CONVOLUTIONS = ((64, 11, 4, True), (192, 5, 1, True), (384, 3, 1, False), (256, 3, 1, False), (256, 3, 1, True))


def alexnet(images: Tensor, config: Config, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, 32, 32, 3] -> features [B, 256]."""
    x = images
    for filters, kernel_size, stride, is_pooled in CONVOLUTIONS:
        x = keras.layers.Conv2D(
            filters, kernel_size, stride, padding="same", activation="relu", kernel_initializer="he_normal"
        )(x)
        if is_pooled:
            x = keras.layers.MaxPooling2D()(x)
    return keras.layers.Flatten()(x)
