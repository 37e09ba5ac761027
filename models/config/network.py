"""What a network is: the part of a configuration that the architectures read."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from models.config.heads import HeadConfig
from pipeline.common import errors
from pipeline.common.config import setting
from pipeline.resolution import FULL_SIZE

ARCHITECTURES = (
    "residual",
    "fast",
    "resnet",
    "wide_resnet",
    "baseline",
    "linear",
    "study_cnn",
    "study_net",
    "alexnet",
    "vgg11",
    "vgg16",
    "efficientnet_b0",
    "efficientnet_v2_s",
)
ACTIVATIONS = ("relu", "silu", "gelu", "elu", "leaky_relu", "selu", "tanh")
POOLINGS = ("max", "average", "mixed")
PADDINGS = ("same", "valid")
INITIALIZERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "random_normal")
STUDY_CNN_KERNEL = 3  # pixels each way, of its convolutions
STUDY_CNN_POOL = 2

HAVE_LAST_BLOCK = ("fast", "residual")  # their last group can be each head's own, and learn on a frozen trunk
_EFFICIENTNETS = ("efficientnet_b0", "efficientnet_v2_s")
# The architectures that read a field; fields that are not here are read by all.
READ_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("widths", "bottlenecks", "whitening", "dirac", "norm_scale", "norm_momentum"), ("fast",)),
    **dict.fromkeys(("depth", "widen_factor"), ("wide_resnet",)),
    **dict.fromkeys(("blocks", "block_convolutions", "first_filters", "pooling", "padding"), ("study_cnn",)),
    **dict.fromkeys(("batch_norm", "l2", "initializer"), ("study_cnn",)),
    "activation": ("fast", "study_cnn", "study_net"),
    "dropout": ("wide_resnet", "study_cnn", "study_net"),
    "head_dropout": ("study_net", *_EFFICIENTNETS),
    "convolutions": ("study_net",),
    "separate_blocks": HAVE_LAST_BLOCK,
    "pretrained": _EFFICIENTNETS,
}


@dataclasses.dataclass(frozen=True)
class NetworkConfig(HeadConfig):
    """A network and its heads. Which architecture reads which field stands in the field's help."""

    architecture: str = setting("residual", "network", choices=ARCHITECTURES)
    widths: str = setting("32,128,384", "filters of the three groups of fast")
    bottlenecks: str = setting("32,96,256", "filters inside the residual pairs of the three groups of fast")
    activation: str = setting("relu", "of fast, study_cnn and study_net", choices=ACTIVATIONS)
    whitening: bool = setting(True, "stem of fast computed from the training images and frozen; else trained")
    dirac: bool = setting(True, "convolutions of fast begin by handing their channels on")
    norm_scale: bool = setting(True, "batch normalisation of fast learns a scale beside its offset")
    norm_momentum: float = setting(0.9, "how much of the moving statistics of fast stays at a step", low=0.0, high=1.0)
    depth: int = setting(28, "of wide_resnet: its layers, 6 n + 4", low=10)
    widen_factor: int = setting(10, "of wide_resnet: how many times 16, 32 and 64 filters", low=1)
    dropout: float = setting(
        0.0,
        "of wide_resnet between the convolutions of a block, of study_cnn behind each block, of study_net between them",
        low=0.0,
        high=0.9,
    )
    head_dropout: float = setting(
        0.0, "of study_net and the efficientnets: on the features before the heads", low=0.0, high=0.9
    )
    blocks: int = setting(3, "of study_cnn: convolutions with a pooling behind them", low=1)
    block_convolutions: int = setting(1, "of study_cnn: convolutions a block", low=1)
    first_filters: int = setting(32, "of study_cnn: of its first block, twice as many in each one after", low=1)
    pooling: str = setting(
        "max", "of study_cnn; mixed is max in the first half of its blocks, average in the rest", choices=POOLINGS
    )
    padding: str = setting("same", "of study_cnn", choices=PADDINGS)
    batch_norm: bool = setting(False, "study_cnn normalises behind each convolution")
    l2: float = setting(
        0.0, "of study_cnn: the loss grows by this times the sum of the squares of the trunk's kernels", low=0.0
    )
    initializer: str = setting("glorot_uniform", "of the kernels of study_cnn", choices=INITIALIZERS)
    convolutions: int = setting(
        8, "of study_net: 8 is the study's Model 1, 6 its final fine model, 4 its final coarse one", low=4, high=8
    )
    separate_blocks: bool = setting(
        False, "each head of fast or residual has a last group of its own, where the network has most of its weights"
    )
    pretrained: bool = setting(False, "the efficientnets begin with ImageNet's weights, downloaded once")
    jit_compile: str = setting(
        "auto",
        "XLA for the network; auto is on GPUs. Augmentation and fast's silu and gelu are compiled unless it is off",
        choices=("auto", "on", "off"),
    )
    pixel_scaling: str = setting(
        "standardise",
        "standardise: zero mean, unit deviation a channel; unit: pixels / 255",
        choices=("standardise", "unit"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _three_numbers("widths", self.widths)
        _three_numbers("bottlenecks", self.bottlenecks)
        if (self.depth - 4) % 6:
            raise errors.BadArgumentError(f"depth={self.depth}: expected 6 n + 4, such as 16, 22 or 28")
        if self.architecture == "study_cnn":
            _refuse_vanishing_maps(self)
        if self.pretrained and not self.architecture.startswith("efficientnet"):
            raise errors.BadArgumentError(
                f"pretrained=True: architecture {self.architecture!r} has no such weights; expected an efficientnet"
            )

    @property
    def group_widths(self) -> tuple[int, ...]:
        """`widths` as numbers."""
        return _three_numbers("widths", self.widths)

    @property
    def group_bottlenecks(self) -> tuple[int, ...]:
        """`bottlenecks` as numbers."""
        return _three_numbers("bottlenecks", self.bottlenecks)


# What two trunks must have in common to hold the same weights.
_FREE = {"jit_compile", "pretrained", "initializer", "l2", "dropout", "head_dropout", "norm_momentum"}
TRUNK_FIELDS = tuple(
    field.name
    for field in dataclasses.fields(NetworkConfig)
    if field.name not in _FREE | {field.name for field in dataclasses.fields(HeadConfig)}
)


def refuse_unread(architecture: str, given: Mapping[str, Any]) -> None:
    """See that no field was given which the network would pass over in silence.

    Args:
      architecture: of the network.
      given: what somebody set by hand, by name; other configurations' fields may be among it.

    Raises:
      errors.BadArgumentError: one was.
    """
    for name, value in given.items():
        readers = READ_BY.get(name, (architecture,))
        if architecture not in readers:
            raise errors.BadArgumentError(
                f"{name}={value!r}: architecture {architecture!r} does not read it; leave it out, or take one that "
                f"does ({', '.join(readers)})"
            )


def _three_numbers(name: str, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise errors.BadArgumentError(f"{name}={text!r}: expected three numbers from 1 on, such as 32,128,384")
    return tuple(int(part) for part in parts)


def _refuse_vanishing_maps(config: NetworkConfig) -> None:
    """Refuse a study_cnn one of whose layers would get less than it looks at; Keras says so layers later, if at all."""
    problem = _vanishing_layer(config.blocks, config.block_convolutions, config.padding)
    if not problem:
        return

    fitting = [
        blocks
        for blocks in range(1, min(config.blocks, FULL_SIZE))
        if not _vanishing_layer(blocks, config.block_convolutions, config.padding)
    ]
    ways_out = [f"blocks={max(fitting)}" if fitting else "fewer block_convolutions"]
    if not _vanishing_layer(config.blocks, config.block_convolutions, "same"):
        ways_out.insert(0, "padding=same")
    raise errors.BadArgumentError(
        f"architecture study_cnn with padding={config.padding}, blocks={config.blocks} and "
        f"block_convolutions={config.block_convolutions}: {problem}; use {' or '.join(ways_out)}"
    )


def _vanishing_layer(blocks: int, block_convolutions: int, padding: str) -> str:
    """What the first layer lacks whose input is smaller than its window; nothing where each has enough."""
    size = FULL_SIZE
    for block in range(1, blocks + 1):
        for convolution in range(1, block_convolutions + 1):
            if padding == "valid":
                if size < STUDY_CNN_KERNEL:
                    return _lacking(f"block {block}'s convolution {convolution}", size, STUDY_CNN_KERNEL)
                size -= STUDY_CNN_KERNEL - 1
        if size < STUDY_CNN_POOL:
            return _lacking(f"block {block}'s pooling", size, STUDY_CNN_POOL)
        size //= STUDY_CNN_POOL
    return ""


def _lacking(layer: str, size: int, window: int) -> str:
    return f"{layer} would get {size} x {size} pixels and needs {window} x {window}"
