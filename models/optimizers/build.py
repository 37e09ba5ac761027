"""The optimizer of a configuration, one `keras.optimizers.Optimizer`."""

import keras

from models.optimizers.config import OPTIMIZERS, OptimizationConfig
from models.runtime import global_settings


@global_settings.defaults()
def build_optimizer(config: OptimizationConfig, trained: list[keras.Variable]) -> keras.optimizers.Optimizer:
    """The optimizer of a configuration, its slots made, so that a checkpoint can fill them.

    Under mixed_float16 it is wrapped for dynamic loss scaling (Micikevicius et al. 2018): from 2^15, halved when a
    gradient overflows (that step changes nothing), doubled after 2,000 steps without.
    """
    family = OPTIMIZERS[config.optimizer]
    optimizer = family.make(config.part(family.config), config.learning_rate, config.weight_decay or None)
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(trained)
    return optimizer
