"""The optimizers behind `--optimizer`, each with the class of the fields that it alone reads; needs no Keras."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.common.config import Config, setting


@dataclasses.dataclass(frozen=True)
class Momentum(Config):
    """Of optimizers with Nesterov momentum."""

    momentum: float = setting(
        0.85, "Nesterov momentum; with muon, of everything but convolution kernels", low=0.0, high=0.999
    )


@dataclasses.dataclass(frozen=True)
class MuonConfig(Momentum):
    """Fields of Muon."""

    muon_lr_multiplier: float = setting(
        0.13, "learning rate of convolution kernels, as a multiple of --learning_rate", low=0.0
    )
    muon_momentum: float = setting(0.6, "momentum of convolution kernels", low=0.0, high=0.999)
    muon_iterations: int = setting(3, "Newton-Schulz iterations per step", low=1, high=10)
    bias_lr_multiplier: float = setting(
        1.0, "learning rate of biases and normalisation parameters, as a multiple of --learning_rate", low=0.0
    )


class Family(NamedTuple):
    """An optimizer: what makes it of (its fields, the learning rate, the weight decay or None), and their class."""

    make: Callable[[Any, float, float | None], Any]
    config: type[Config] = Config


def _sgd(fields: Momentum, learning_rate: float, weight_decay: float | None) -> Any:
    from models.optimizers.fused_sgd import FusedSGD

    return FusedSGD(learning_rate, momentum=fields.momentum, nesterov=fields.momentum > 0, weight_decay=weight_decay)


def _muon(fields: MuonConfig, learning_rate: float, weight_decay: float | None) -> Any:
    from models.optimizers.muon import Muon

    return Muon(
        learning_rate,
        kernel_lr_multiplier=fields.muon_lr_multiplier,
        kernel_momentum=fields.muon_momentum,
        num_iterations=fields.muon_iterations,
        momentum=fields.momentum,
        bias_lr_multiplier=fields.bias_lr_multiplier,
        weight_decay=weight_decay,
    )


def _keras(name: str) -> Family:
    """One of Keras's optimizers, all but its learning rate and weight decay at Keras's defaults."""

    def make(fields: Config, learning_rate: float, weight_decay: float | None) -> Any:
        import keras

        return getattr(keras.optimizers, name)(learning_rate, weight_decay=weight_decay)

    return Family(make)


OPTIMIZERS: dict[str, Family] = {
    "sgd": Family(_sgd, Momentum),
    "adam": _keras("Adam"),
    "muon": Family(_muon, MuonConfig),
    "rmsprop": _keras("RMSprop"),
    "adagrad": _keras("Adagrad"),
    "adadelta": _keras("Adadelta"),
    "adamax": _keras("Adamax"),
    "nadam": _keras("Nadam"),
}
