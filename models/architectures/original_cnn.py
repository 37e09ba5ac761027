"""The simple CNN of the original study's hypothesis tests: convolution and pooling, three times, then two dense layers.

The original study names the layers and no sizes. Chosen here, as one would for a student's GPU in 2022: 3 x 3
convolutions of 32, 64 and 128 filters, 2 x 2 pooling, 128 units in the first dense layer (as in the original study's
baseline); the second is the head. With one fine head 368,420 parameters and 10.6 million multiply-adds an image.
`blocks`, `block_convolutions` and `first_filters` make it deeper or wider.
"""

import dataclasses
import itertools
from typing import Any

from models import layers
from models.architectures.fields import Activated, Dropped
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common import errors
from pipeline.common.config import setting
from pipeline.datasets import builtin

KERNEL = 3  # pixels each way, of each convolution
POOL = 2
POOLINGS = ("max", "average", "mixed")
PADDINGS = ("same", "valid")
INITIALIZERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "random_normal")
DENSE_UNITS = 128
NORM_MOMENTUM = 0.9
# The maximum of what such a function makes of values is what it makes of their maximum.
RISING = ("relu", "elu", "leaky_relu", "selu", "tanh")


@dataclasses.dataclass(frozen=True)
class OriginalCnn(Activated, Dropped):
    """Fields of original_cnn."""

    blocks: int = setting(3, "number of blocks, each of --block_convolutions convolutions and one pooling", low=1)
    block_convolutions: int = setting(1, "convolutions per block", low=1)
    first_filters: int = setting(32, "filters of the first block; each later block has twice as many", low=1)
    pooling: str = setting(
        "max",
        "pooling at the end of each block; mixed: max in the first half of the blocks (rounded up), then average",
        choices=POOLINGS,
    )
    padding: str = setting("same", "padding of the convolutions", choices=PADDINGS)
    batch_norm: bool = setting(False, "batch normalization after each convolution")
    l2: float = setting(0.0, "L2 regularization factor of the trunk's kernels", low=0.0)
    initializer: str = setting(
        "glorot_uniform", "kernel initializer of the convolutions and of the trunk's dense layer", choices=INITIALIZERS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_image_size(builtin.IMAGE_SIZE)  # the original study's; larger images may not have more blocks

    def check_image_size(self, image_size: int) -> None:
        """Raise errors.BadArgumentError where a layer would get a map that is smaller than its window."""
        _check_vanishing_maps(self, image_size)


def original_cnn(images: Tensor, config: OriginalCnn, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, 32, 32, 3] -> features [B, 128]."""
    x = images
    for block in range(config.blocks):
        filters = config.first_filters * 2**block
        for _ in range(config.block_convolutions - 1):
            x = keras.layers.Activation(config.activation)(_convolved(x, filters, config))
        x = _convolved(x, filters, config)
        is_first_half = block < (config.blocks + 1) // 2
        if config.pooling == "average" or (config.pooling == "mixed" and not is_first_half):
            x = keras.layers.AveragePooling2D(POOL)(keras.layers.Activation(config.activation)(x))
        elif config.activation in RISING:  # the original study's answers up to rounding, for a quarter of the work
            x = keras.layers.Activation(config.activation)(keras.layers.MaxPooling2D(POOL)(x))
        else:
            x = keras.layers.MaxPooling2D(POOL)(keras.layers.Activation(config.activation)(x))
        if config.dropout:
            x = keras.layers.Dropout(config.dropout)(x)
    x = keras.layers.Flatten()(x)
    return keras.layers.Dense(DENSE_UNITS, config.activation, **_kernels(config))(x)


def _convolved(x: Tensor, filters: int, config: OriginalCnn) -> Tensor:
    has_bias = not config.batch_norm  # normalization has its own
    x = keras.layers.Conv2D(filters, KERNEL, padding=config.padding, use_bias=has_bias, **_kernels(config))(x)
    return layers.FusedBatchNormalization(momentum=NORM_MOMENTUM)(x) if config.batch_norm else x


def _kernels(config: OriginalCnn) -> dict[str, Any]:
    penalty = keras.regularizers.L2(config.l2) if config.l2 else None
    return {"kernel_initializer": config.initializer, "kernel_regularizer": penalty}


def _check_vanishing_maps(config: OriginalCnn, image_size: int) -> None:
    """See that no layer gets a map smaller than its window; Keras says so layers later, if at all."""
    problem = _vanishing_layer(config.blocks, config.block_convolutions, config.padding, image_size)
    if not problem:
        return
    fitting = [
        blocks
        for blocks in range(1, min(config.blocks, image_size))
        if not _vanishing_layer(blocks, config.block_convolutions, config.padding, image_size)
    ]
    ways_out = [f"blocks={max(fitting)}" if fitting else "fewer block_convolutions"]
    if not _vanishing_layer(config.blocks, config.block_convolutions, "same", image_size):
        ways_out.insert(0, "padding=same")
    raise errors.BadArgumentError(
        f"architecture original_cnn with padding={config.padding}, blocks={config.blocks} and "
        f"block_convolutions={config.block_convolutions}: {problem}; use {' or '.join(ways_out)}"
    )


def _vanishing_layer(blocks: int, block_convolutions: int, padding: str, image_size: int) -> str:
    """What the first layer lacks whose input is smaller than its window; nothing where each has enough."""
    size = image_size
    for block in range(1, blocks + 1):
        convolutions = (f"convolution {number}" for number in range(1, block_convolutions + 1))
        for layer in itertools.chain(convolutions if padding == "valid" else (), ["pooling"]):
            window = POOL if layer == "pooling" else KERNEL
            if size < window:
                return f"block {block}'s {layer} would get {size} x {size} pixels and needs {window} x {window}"
            size = size // POOL if layer == "pooling" else size - KERNEL + 1
    return ""
