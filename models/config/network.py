"""Network: the architecture and what every network reads."""

import dataclasses

from models.architectures import BUILDERS
from models.architectures.fields import JIT_COMPILE, Network
from pipeline.common.config import Composition, Part, setting, settings


@dataclasses.dataclass(frozen=True, init=False)
class NetworkConfig(Composition):
    """A network without its heads; each architecture adds the fields that it reads."""

    architecture: str = setting(
        "resnet9", "network architecture", parts={name: (Part(one.config),) for name, one in BUILDERS.items()}
    )
    pixel_scaling: str = setting(
        "standardise",
        "input scaling: standardise (by the mean and standard deviation of each channel of the training images) or "
        "unit (pixels / 255)",
        choices=("standardise", "unit"),
    )
    jit_compile: str = JIT_COMPILE

    @property
    def network(self) -> Network:
        """The fields that the architecture reads."""
        return self.part(BUILDERS[self.architecture].config)


# What two networks must have in common to hold the same weights: not how they are initialized, regularized or trained.
_FREE = {"pretrained", "initializer", "l2", "dropout", "head_dropout", "norm_momentum"}
_FREE |= {"unfreeze_last_block", "jit_compile"}
TRUNK_FIELDS = tuple(name for name in settings(NetworkConfig) if name not in _FREE)
