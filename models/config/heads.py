"""What answers behind a network: the part of a configuration that the heads read."""

import dataclasses

from pipeline.common.config import Config, setting

HEADS = ("both", "fine", "coarse")


@dataclasses.dataclass(frozen=True)
class Head:
    """One head: hidden layers between the features and its logits, and what keeps it from overfitting."""

    hidden_layers: int
    hidden_units: int
    dropout: float
    l2: float


@dataclasses.dataclass(frozen=True)
class HeadConfig(Config):
    """The heads of a network, each of its own shape."""

    heads: str = setting("both", "labels that the model answers", choices=HEADS)
    logit_scale: float = setting(0.125, "the heads' logits are multiplied by it", low=0.001)
    fine_hidden_layers: int = setting(0, "dense layers of the fine head before its logits", low=0, high=8)
    coarse_hidden_layers: int = setting(0, "dense layers of the coarse head before its logits", low=0, high=8)
    fine_hidden_units: int = setting(256, "of each of the fine head's hidden layers", low=1)
    coarse_hidden_units: int = setting(256, "of each of the coarse head's hidden layers", low=1)
    fine_dropout: float = setting(0.0, "before each dense layer of the fine head", low=0.0, high=0.9)
    coarse_dropout: float = setting(0.0, "before each dense layer of the coarse head", low=0.0, high=0.9)
    fine_l2: float = setting(
        0.0, "the loss grows by this times the sum of the squares of the fine head's kernels", low=0.0
    )
    coarse_l2: float = setting(
        0.0, "the loss grows by this times the sum of the squares of the coarse head's kernels", low=0.0
    )

    def head(self, name: str) -> Head:
        """The shape of the head of a label, `fine` or `coarse`."""
        return Head(**{field.name: getattr(self, f"{name}_{field.name}") for field in dataclasses.fields(Head)})
