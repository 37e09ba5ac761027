"""Optimizer: the update rule, its learning rate, and the averages of weights."""

import dataclasses

from models.optimizers.families import OPTIMIZERS
from pipeline.common import errors
from pipeline.common.config import Composition, Config, Part, setting


@dataclasses.dataclass(frozen=True)
class Warmup(Config):
    """Of schedules that begin with a warmup."""

    warmup_fraction: float = setting(
        0.25, "fraction of the run's steps in which the learning rate rises", low=0.0, high=0.9
    )


SCHEDULES: dict[str, tuple[Part, ...]] = {
    "warmup_linear": (Part(Warmup),),
    "warmup_cosine": (Part(Warmup),),
    "constant": (),
}


@dataclasses.dataclass(frozen=True, init=False)
class OptimizationConfig(Composition):
    """Optimizer, learning rate, and the averages of weights; each optimizer adds the fields that it reads."""

    optimizer: str = setting(
        "sgd",
        "optimizer; sgd has Nesterov momentum, muon updates convolution kernels by Muon and everything else by SGD",
        parts={name: (Part(family.config),) for name, family in OPTIMIZERS.items()},
    )
    learning_rate: float = setting(2.0, "peak learning rate; with --schedule=constant, the learning rate", low=0.0)
    schedule: str = setting(
        "warmup_linear",
        "learning rate schedule: warmup_linear (linear warmup, then linear decay to 0), warmup_cosine "
        "(linear warmup, then cosine decay to 0) or constant (or set by a callback)",
        parts=SCHEDULES,
    )
    weight_decay: float = setting(
        3e-3,
        "decoupled weight decay of kernels, multiplied by the learning rate; kernels that Muon updates "
        "keep a constant norm",
        low=0.0,
    )
    sam_radius: float = setting(
        0.0, "radius (rho) of sharpness-aware minimisation (SAM), which doubles the cost of a step; 0 disables", low=0.0
    )
    ema_decay: float = setting(
        0.0,
        "decay of the exponential moving average of the weights, which is evaluated and saved; 0 disables; "
        "not with --lookahead_steps",
        high=0.99999,
        low=0.0,
    )
    lookahead_steps: int = setting(
        0,
        "steps between two updates of Lookahead's slow weights, which are evaluated and saved; 0 disables; "
        "not with --ema_decay",
        low=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ema_decay and self.lookahead_steps:
            raise errors.BadArgumentError(
                f"ema_decay={self.ema_decay} and lookahead_steps={self.lookahead_steps}: give one of the two"
            )
