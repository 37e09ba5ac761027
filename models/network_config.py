"""What a network is: the part of a configuration that the architectures read."""

import dataclasses

from pipeline import errors
from pipeline.config import Config, setting

ARCHITECTURES = ("residual", "fast", "resnet", "wide_resnet", "baseline", "linear")
ACTIVATIONS = ("relu", "silu", "gelu", "elu", "leaky_relu")
HEADS = ("both", "fine", "coarse")


@dataclasses.dataclass(frozen=True)
class NetworkConfig(Config):
    """A network and its heads. Which architecture reads which field stands in the field's help."""

    architecture: str = setting("residual", "network", choices=ARCHITECTURES)
    widths: str = setting("32,128,384", "filters of the three groups of fast")
    bottlenecks: str = setting("32,96,256", "filters inside the residual pairs of the three groups of fast")
    activation: str = setting("relu", "of fast", choices=ACTIVATIONS)
    whitening: bool = setting(True, "stem of fast computed from the training images and frozen; else trained")
    dirac: bool = setting(True, "convolutions of fast begin by handing their channels on")
    norm_scale: bool = setting(False, "batch normalisation of fast learns a scale beside its offset")
    norm_momentum: float = setting(0.6, "how much of the moving statistics of fast stays at a step", low=0.0, high=1.0)
    depth: int = setting(28, "of wide_resnet: its layers, 6 n + 4", low=10)
    widen_factor: int = setting(10, "of wide_resnet: how many times 16, 32 and 64 filters", low=1)
    dropout: float = setting(0.0, "of wide_resnet: between the convolutions of a block", low=0.0, high=0.9)
    heads: str = setting("both", "labels that the model answers", choices=HEADS)
    logit_scale: float = setting(0.125, "the heads' logits are multiplied by it", low=0.001)
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

    @property
    def group_widths(self) -> tuple[int, ...]:
        """`widths` as numbers."""
        return _three_numbers("widths", self.widths)

    @property
    def group_bottlenecks(self) -> tuple[int, ...]:
        """`bottlenecks` as numbers."""
        return _three_numbers("bottlenecks", self.bottlenecks)


def _three_numbers(name: str, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise errors.BadArgumentError(f"{name}={text!r}: expected three numbers, such as 32,128,384")
    return tuple(int(part) for part in parts)
