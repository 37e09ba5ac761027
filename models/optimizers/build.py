"""The optimizers behind `--optimizer`, each one `keras.optimizers.Optimizer`."""

from collections.abc import Callable

import keras

from models.config.training import TrainConfig
from models.optimizers.fused_sgd import FusedSGD
from models.optimizers.muon import Muon

NO_WEIGHT_DECAY = ("bias", "gamma", "beta")
_Maker = Callable[[TrainConfig, float | None], keras.optimizers.Optimizer]  # of a configuration and its weight decay


def build(config: TrainConfig, trainable_variables: list[keras.Variable]) -> keras.optimizers.Optimizer:
    """The optimizer of a configuration, its slots made, so that a checkpoint can fill them.

    Under mixed_float16 it is wrapped for dynamic loss scaling (Micikevicius et al. 2018): from 2^15, halved when a
    gradient overflows (that step changes nothing), doubled after 2,000 steps without.
    """
    optimizer = _MAKERS[config.optimizer](config, config.weight_decay or None)
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=list(NO_WEIGHT_DECAY))
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(trainable_variables)
    return optimizer


def _of_rate_alone(kind: type[keras.optimizers.Optimizer]) -> _Maker:
    """What makes an optimizer of Keras's with all but its rate and weight decay as Keras has them."""
    return lambda config, weight_decay: kind(config.learning_rate, weight_decay=weight_decay)


def _sgd(config: TrainConfig, weight_decay: float | None) -> keras.optimizers.Optimizer:
    return FusedSGD(
        config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0, weight_decay=weight_decay
    )


def _muon(config: TrainConfig, weight_decay: float | None) -> keras.optimizers.Optimizer:
    return Muon(
        config.learning_rate,
        kernel_rate_ratio=config.muon_rate_ratio,
        kernel_momentum=config.muon_momentum,
        num_iterations=config.muon_iterations,
        momentum=config.momentum,
        offset_rate_ratio=config.offset_rate_ratio,
        weight_decay=weight_decay,
    )


_MAKERS: dict[str, _Maker] = {
    "sgd": _sgd,
    "muon": _muon,
    "adam": _of_rate_alone(keras.optimizers.Adam),
    "rmsprop": _of_rate_alone(keras.optimizers.RMSprop),
    "adagrad": _of_rate_alone(keras.optimizers.Adagrad),
    "adadelta": _of_rate_alone(keras.optimizers.Adadelta),
    "adamax": _of_rate_alone(keras.optimizers.Adamax),
    "nadam": _of_rate_alone(keras.optimizers.Nadam),
}
