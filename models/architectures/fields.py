"""Fields that several networks read: base classes of their configurations."""

import dataclasses

from pipeline.common.config import Config, setting

ACTIVATIONS = ("relu", "silu", "gelu", "elu", "leaky_relu", "selu", "tanh")
JIT_COMPILE = setting(  # of every network, and of the layers of speedrun besides
    "auto",
    "XLA compilation of the training step; auto compiles it on GPUs only. Augmentation, and the gradients of "
    "speedrun's silu and gelu, are compiled unless this is off",
    choices=("auto", "on", "off"),
)


@dataclasses.dataclass(frozen=True)
class Network(Config):
    """Of every network."""

    def check_image_size(self, image_size: int) -> None:
        """Raise errors.BadArgumentError where the fields do not fit images of so many pixels each way."""


@dataclasses.dataclass(frozen=True)
class Activated(Network):
    """Of networks whose activation is a choice."""

    activation: str = setting("relu", "activation function of the trunk; the heads use relu", choices=ACTIVATIONS)


@dataclasses.dataclass(frozen=True)
class Dropped(Network):
    """Of networks with dropout among their convolutions."""

    dropout: float = setting(
        0.0,
        "dropout rate: within each block of wide_resnet, after each of original_cnn, between blocks of original_net",
        low=0.0,
        high=0.9,
    )


@dataclasses.dataclass(frozen=True)
class FeaturesDropped(Network):
    """Of networks with dropout on their features."""

    head_dropout: float = setting(0.0, "dropout rate of the features in front of the heads", low=0.0, high=0.9)
