"""Fields that several networks read: base classes of their configurations."""

import dataclasses

from pipeline.common.config import Config, setting

ACTIVATIONS = ("relu", "silu", "gelu", "elu", "leaky_relu", "selu", "tanh")
# Of every network, and of the layers of speedrun besides.
JIT_COMPILE = setting(
    "auto",
    "XLA for the network; auto is on GPUs. Augmentation and speedrun's silu and gelu are compiled unless it is off",
    choices=("auto", "on", "off"),
)


@dataclasses.dataclass(frozen=True)
class Activated(Config):
    """Of networks whose activation is a choice."""

    activation: str = setting("relu", "activation behind each convolution", choices=ACTIVATIONS)


@dataclasses.dataclass(frozen=True)
class Dropped(Config):
    """Of networks with dropout among their convolutions."""

    dropout: float = setting(
        0.0,
        "dropout rate among the convolutions: between the two of a block in wide_resnet, behind each block in "
        "original_cnn, between blocks in original_net",
        low=0.0,
        high=0.9,
    )


@dataclasses.dataclass(frozen=True)
class FeaturesDropped(Config):
    """Of networks with dropout on their features."""

    head_dropout: float = setting(0.0, "dropout rate of the features, before the heads", low=0.0, high=0.9)
