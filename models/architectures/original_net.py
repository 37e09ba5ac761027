"""The original study's Model 1 and its finals, fine and coarse: blocks of convolution, batch normalization and ELU.

The original study describes Model 1 (ELU, dropout 0.3, L2 0.2), the final fine model ("two convolutions fewer", dropout
0.4, L2 0.1) and the final coarse one ("two more layers removed", dropout 0.4 everywhere, L2 0.2), and lists no layers.
Chosen here, as one would in 2022 for minutes of a student's GPU:

- Four blocks of 64, 128, 256 and 512 filters. Each has one 3 x 3 convolution, and one more in as many of the last
  blocks as `convolutions` leaves: 8 is two in each block (Model 1), 6 two in each of the last two (final, fine), 4 one
  in each (final, coarse). What is removed first is what works on the largest maps.
- Pooling comes right behind a block's first convolution, so that everything behind it works on a quarter of the pixels;
  each map's maximum and mean are the features (1,024 of them), so that the heads stay small.
- The dropout is `head_dropout`, on the features; the coarse one's 0.4 "everywhere" is taken for the rate of all that it
  has. `dropout`, between the blocks, stands before batch normalization, whose statistics it disturbs (Li et al. 2018,
  arXiv 1801.05134), and no preset has it.
- "L2 0.1" and "0.2" bound the norms of kernels, and so does the presets' optimizer by itself: Muon brings each kernel
  back to one norm before each step. As penalties they would start at 75 times the cross-entropy and more, and the
  study's loss of 1.52 at 61.88 % has no room for that; `tuning.study --study=l2` shows what they do to a network.

Trainable parameters and multiply-adds with the fine head, in millions: 4.79 and 96 with 8 convolutions, 4.61 and 77
with 6, 1.65 and 58 with 4.
"""

import dataclasses

from models import layers
from models.architectures.fields import Activated, Dropped, FeaturesDropped
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import setting

BLOCK_FILTERS = (64, 128, 256, 512)
NORM_MOMENTUM = 0.9


@dataclasses.dataclass(frozen=True)
class OriginalNet(Activated, Dropped, FeaturesDropped):
    """Fields of original_net."""

    convolutions: int = setting(
        8,
        "number of convolutions; in the original study 8 in Model 1, 6 in the final fine model, 4 in the coarse one",
        low=4,
        high=8,
    )


def original_net(images: Tensor, config: OriginalNet, heads: tuple[str, ...]) -> Tensor:
    """Scaled images [B, H, W, 3] -> features [B, 1024]: each of the last maps' maximum and mean."""
    x = images
    first_with_two = 2 * len(BLOCK_FILTERS) - config.convolutions
    for block, filters in enumerate(BLOCK_FILTERS):
        if config.dropout and block > 0:
            x = keras.layers.Dropout(config.dropout)(x)
        x = _activated(keras.layers.MaxPooling2D()(layers.Convolution(filters, 3)(x)), config)
        if block >= first_with_two:
            x = _activated(layers.Convolution(filters, 3)(x), config)
    x = keras.layers.Concatenate()([keras.layers.GlobalMaxPooling2D()(x), keras.layers.GlobalAveragePooling2D()(x)])
    return keras.layers.Dropout(config.head_dropout)(x) if config.head_dropout else x


def _activated(x: Tensor, config: OriginalNet) -> Tensor:
    return keras.layers.Activation(config.activation)(layers.FusedBatchNormalization(momentum=NORM_MOMENTUM)(x))
