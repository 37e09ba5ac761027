"""The optimizers behind `--optimizer`, each one `keras.optimizers.Optimizer`."""

import keras

from models.muon import Muon
from models.train_config import TrainConfig

NO_WEIGHT_DECAY = ("bias", "gamma", "beta")


def build(config: TrainConfig, trainable_variables: list[keras.Variable]) -> keras.optimizers.Optimizer:
    """The optimizer of a configuration, its slots made, so that a checkpoint can fill them.

    Under mixed_float16 it is wrapped for dynamic loss scaling (Micikevicius et al. 2018): from 2^15, halved when a
    gradient overflows (that step changes nothing), doubled after 2,000 steps without.
    """
    weight_decay = config.weight_decay or None
    if config.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0, weight_decay=weight_decay
        )
    elif config.optimizer == "muon":
        optimizer = Muon(
            config.learning_rate,
            kernel_rate_ratio=config.muon_rate_ratio,
            kernel_momentum=config.muon_momentum,
            num_iterations=config.muon_iterations,
            momentum=config.momentum,
            offset_rate_ratio=config.offset_rate_ratio,
            weight_decay=weight_decay,
        )
    else:
        optimizer = keras.optimizers.Adam(config.learning_rate, weight_decay=weight_decay)
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=list(NO_WEIGHT_DECAY))
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(trainable_variables)
    return optimizer
