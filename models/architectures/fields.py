"""Fields that several networks read: base classes of their configurations."""

import dataclasses

from pipeline.common.config import Config, setting

ACTIVATIONS = ("relu", "silu", "gelu", "elu", "leaky_relu", "selu", "tanh")
JIT_COMPILE = setting(  # of every network, and of the layers of speedrun besides
    "auto",
    "compile the training step with XLA; auto: on GPUs. Unless off, augmentation and speedrun's silu and gelu are too",
    choices=("auto", "on", "off"),
)


@dataclasses.dataclass(frozen=True)
class Activated(Config):
    """Of networks whose activation is a choice."""

    activation: str = setting("relu", "activation function", choices=ACTIVATIONS)


@dataclasses.dataclass(frozen=True)
class Dropped(Config):
    """Of networks with dropout among their convolutions."""

    dropout: float = setting(
        0.0,
        "dropout rate: within blocks of wide_resnet, after those of original_cnn, between those of original_net",
        low=0.0,
        high=0.9,
    )


@dataclasses.dataclass(frozen=True)
class FeaturesDropped(Config):
    """Of networks with dropout on their features."""

    head_dropout: float = setting(0.0, "dropout rate of the features in front of the heads", low=0.0, high=0.9)
