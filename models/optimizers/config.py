"""Optimizer: the update rule, its learning rate, and the averages of weights; needs no Keras until one is built."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.common import errors
from pipeline.common.config import Composition, Config, Part, setting
from pipeline.common.lazy import LazyModule

_keras_optimizers = LazyModule("keras.optimizers")
_fused_sgd, _muon = LazyModule("models.optimizers.fused_sgd"), LazyModule("models.optimizers.muon")


@dataclasses.dataclass(frozen=True)
class Momentum(Config):
    """Of optimizers with Nesterov momentum."""

    momentum: float = setting(
        0.85, "Nesterov momentum; with muon, of everything but convolution kernels", low=0.0, high=0.999
    )


@dataclasses.dataclass(frozen=True)
class MuonConfig(Momentum):
    """Fields of Muon."""

    muon_lr_multiplier: float = setting(0.13, "multiplier of the learning rate for convolution kernels", low=0.0)
    muon_momentum: float = setting(0.6, "momentum of convolution kernels", low=0.0, high=0.999)
    muon_iterations: int = setting(3, "Newton-Schulz iterations per step", low=1, high=10)
    bias_lr_multiplier: float = setting(
        1.0, "multiplier of the learning rate for biases and normalization parameters", low=0.0
    )


class Family(NamedTuple):
    """An optimizer: what makes it of (its fields, the learning rate, the weight decay or None), and their class."""

    make: Callable[[Any, float, float | None], Any]
    config: type[Config] = Config


def _make_sgd(fields: Momentum, rate: float, decay: float | None) -> Any:
    momentum = fields.momentum
    return _fused_sgd.FusedSGD(rate, momentum=momentum, nesterov=momentum > 0, weight_decay=decay)


def _make_muon(fields: MuonConfig, rate: float, decay: float | None) -> Any:
    own = (fields.muon_lr_multiplier, fields.muon_momentum, fields.muon_iterations)
    return _muon.Muon(rate, *own, fields.momentum, fields.bias_lr_multiplier, weight_decay=decay)


def _keras(name: str) -> Family:
    """One of Keras's optimizers, all but its learning rate and weight decay at Keras's defaults."""
    return Family(lambda fields, rate, decay: getattr(_keras_optimizers, name)(rate, weight_decay=decay))


OPTIMIZERS: dict[str, Family] = {
    "sgd": Family(_make_sgd, Momentum),
    "adam": _keras("Adam"),
    "muon": Family(_make_muon, MuonConfig),
    "rmsprop": _keras("RMSprop"),
    "adagrad": _keras("Adagrad"),
    "adadelta": _keras("Adadelta"),
    "adamax": _keras("Adamax"),
    "nadam": _keras("Nadam"),
}


@dataclasses.dataclass(frozen=True)
class Warmup(Config):
    """Of schedules that begin with a warmup."""

    warmup_fraction: float = setting(
        0.25, "fraction of the run's steps in which the learning rate rises linearly", low=0.0, high=0.9
    )


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
        "learning rate schedule: linear warmup, then linear or cosine decay to 0, or a constant",
        parts={"warmup_linear": (Part(Warmup),), "warmup_cosine": (Part(Warmup),), "constant": ()},
    )
    weight_decay: float = setting(
        3e-3,
        "decoupled weight decay of kernels, multiplied by the learning rate; with muon not of convolution kernels",
        low=0.0,
    )
    sam_radius: float = setting(
        0.0, "radius (rho) of sharpness-aware minimization (SAM), which doubles the cost of a step; 0 disables", low=0.0
    )
    ema_decay: float = setting(
        0.0,
        "decay of the weights' moving average, which is evaluated and saved; 0 disables; not with --lookahead_steps",
        low=0.0,
        high=0.99999,
    )
    lookahead_steps: int = setting(
        0,
        "steps between updates of Lookahead's slow weights, evaluated and saved; 0 disables; not with --ema_decay",
        low=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ema_decay and self.lookahead_steps:
            raise errors.BadArgumentError(
                f"ema_decay={self.ema_decay} and lookahead_steps={self.lookahead_steps}: set only one of them"
            )
