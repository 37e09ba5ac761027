"""Networks whose last block can be each head's own, and learn on where the rest is frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from models.architectures.lazy_keras import keras
from pipeline.common.config import Config, setting

BEFORE_LAST_BLOCK = "before_last_block"
Features: TypeAlias = "keras.KerasTensor | dict[str, keras.KerasTensor]"  # [B, F], of all heads or of each head


@dataclasses.dataclass(frozen=True)
class LastBlock(Config):
    """Of networks with a marked last block."""

    separate_blocks: bool = setting(
        False,
        "build the network's last block, which holds most of its weights, once for each head instead of once for both",
        needs="heads=both",
    )
    unfreeze_last_block: bool = setting(False, "train the last block of the frozen trunk", needs="freeze_trunk")


def last_block(
    maps: keras.KerasTensor,
    make: Callable[[keras.KerasTensor], keras.KerasTensor],
    config: LastBlock,
    heads: tuple[str, ...],
) -> Features:
    """What a network's last block makes: features of all heads, or of each head.

    Args:
      maps: the block's input; a layer of the name BEFORE_LAST_BLOCK marks the place.
      make: builds the block, with layers of its own at each call.
      config: whether each head has a block of its own.
      heads: the names of the model's heads.
    """
    maps = keras.layers.Identity(name=BEFORE_LAST_BLOCK)(maps)
    return {name: make(maps) for name in heads} if config.separate_blocks else make(maps)
