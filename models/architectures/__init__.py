"""One network per file, with the configuration class of its own fields. BUILDERS lists them without importing Keras.

A builder is a function: float32 images [B, 32, 32, 3], scaled; its configuration; the names of the heads -> features
[B, F], or a dictionary with those of each head.
"""

import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

from models.architectures.fields import Network


class Architecture(NamedTuple):
    """Where a network's builder and its configuration class are, imported at their first use: `FILE:NAME`."""

    builder: str
    config_class: str = ""  # "" if the network has no fields of its own
    takes_any_size: bool = True  # else it flattens its maps into dense layers, and cannot train at several resolutions

    @property
    def build(self) -> Callable[..., Any]:
        """The function that builds the network."""
        return pkgutil.resolve_name(f"{__name__}.{self.builder}")

    @property
    def config(self) -> type[Network]:
        """The class of the fields that the network reads."""
        return pkgutil.resolve_name(f"{__name__}.{self.config_class}") if self.config_class else Network


BUILDERS: dict[str, Architecture] = {
    "resnet9": Architecture("resnet9:resnet9", "last_block:LastBlock"),
    "speedrun": Architecture("speedrun:speedrun", "speedrun:Speedrun"),
    "resnet18": Architecture("resnet18:resnet18"),
    "wide_resnet": Architecture("wide_resnet:wide_resnet", "wide_resnet:WideResNet"),
    "baseline": Architecture("baseline:baseline", takes_any_size=False),
    "linear": Architecture("linear:linear", takes_any_size=False),
    "original_cnn": Architecture("original_cnn:original_cnn", "original_cnn:OriginalCnn", takes_any_size=False),
    "original_net": Architecture("original_net:original_net", "original_net:OriginalNet"),
    "alexnet": Architecture("alexnet:alexnet", takes_any_size=False),
    "vgg11": Architecture("vgg:vgg11", takes_any_size=False),
    "vgg16": Architecture("vgg:vgg16", takes_any_size=False),
    "efficientnet_b0": Architecture("efficientnet:efficientnet_b0", "efficientnet:EfficientNet"),
    "efficientnet_v2_s": Architecture("efficientnet:efficientnet_v2_s", "efficientnet:EfficientNet"),
}
