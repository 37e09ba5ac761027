"""The simple CNN of the study's hypothesis tests: convolution, pooling, three times over, then two dense layers.

The study names the layers and no sizes. Chosen here, as one would for a student's GPU in 2022: 3 x 3 convolutions of
32, 64 and 128 filters, 2 x 2 pooling, 128 units in the first dense layer (as in the study's baseline); the second is
the head. With one fine head 368,420 parameters and 10.6 million multiply-adds an image. `blocks`, `block_convolutions`
and `first_filters` make it deeper or wider; filters double from block to block.
"""

import keras

from models.config.network import STUDY_CNN_KERNEL, STUDY_CNN_POOL, NetworkConfig
from models.layers.batch_norm import FusedBatchNormalization

DENSE_UNITS = 128
NORM_MOMENTUM = 0.9
# The maximum of what such a function makes of values is what it makes of their maximum.
RISING = ("relu", "elu", "leaky_relu", "selu", "tanh")


def study_cnn(images: keras.KerasTensor, config: NetworkConfig) -> keras.KerasTensor:
    """Scaled images [B, 32, 32, 3] -> features [B, 128]."""
    x = images
    for block in range(config.blocks):
        filters = config.first_filters * 2**block
        for _ in range(config.block_convolutions - 1):
            x = _activation(config)(_convolved(x, filters, config))
        x = _convolved(x, filters, config)
        pooling = _pooling(block, config)
        if isinstance(pooling, keras.layers.MaxPooling2D) and config.activation in RISING:
            x = _activation(config)(pooling(x))  # the study's answers up to rounding, for a quarter of the work
        else:
            x = pooling(_activation(config)(x))
        if config.dropout:
            x = keras.layers.Dropout(config.dropout)(x)
    dense = keras.layers.Dense(
        DENSE_UNITS, config.activation, kernel_initializer=config.initializer, kernel_regularizer=_penalty(config)
    )
    return dense(keras.layers.Flatten()(x))


def _convolved(x: keras.KerasTensor, filters: int, config: NetworkConfig) -> keras.KerasTensor:
    convolution = keras.layers.Conv2D(
        filters,
        STUDY_CNN_KERNEL,
        padding=config.padding,
        use_bias=not config.batch_norm,  # normalisation has its own
        kernel_initializer=config.initializer,
        kernel_regularizer=_penalty(config),
    )
    x = convolution(x)
    return FusedBatchNormalization(momentum=NORM_MOMENTUM)(x) if config.batch_norm else x


def _activation(config: NetworkConfig) -> keras.layers.Layer:
    return keras.layers.Activation(config.activation)


def _pooling(block: int, config: NetworkConfig) -> keras.layers.Layer:
    """Of the block with this number; `mixed` takes maxima in the first half of the blocks, averages in the second."""
    is_first_half = block < (config.blocks + 1) // 2
    if config.pooling == "max" or (config.pooling == "mixed" and is_first_half):
        return keras.layers.MaxPooling2D(STUDY_CNN_POOL)
    return keras.layers.AveragePooling2D(STUDY_CNN_POOL)


def _penalty(config: NetworkConfig) -> keras.regularizers.Regularizer | None:
    return keras.regularizers.L2(config.l2) if config.l2 else None
