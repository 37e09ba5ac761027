"""Networks whose last block can be duplicated for each head, and trained while the rest is frozen."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from models.architectures.fields import Network
from models.architectures.lazy_keras import Tensor, keras
from pipeline.common.config import setting

BEFORE_LAST_BLOCK = "before_last_block"
Features: TypeAlias = "Tensor | dict[str, Tensor]"  # [B, F], of all heads or of each head


@dataclasses.dataclass(frozen=True)
class LastBlock(Network):
    """Of networks with a marked last block."""

    separate_blocks: bool = setting(
        False,
        "separate last block for each head, instead of one block for both",
        needs="heads=both",
    )
    unfreeze_last_block: bool = setting(False, "train the last block of the frozen trunk", needs="freeze_trunk")


def last_block(maps: Tensor, make: Callable[[Tensor], Tensor], config: LastBlock, heads: tuple[str, ...]) -> Features:
    """What a network's last block makes of `maps`, where a layer of the name BEFORE_LAST_BLOCK marks its input.

    `make` builds the block, with layers of its own at each call: one of all heads, or one of each.
    """
    maps = keras.layers.Identity(name=BEFORE_LAST_BLOCK)(maps)
    return {name: make(maps) for name in heads} if config.separate_blocks else make(maps)
