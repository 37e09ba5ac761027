"""The learning rate as a function of the step alone, so that a resumed run has the rate it would have had."""

import math

import tensorflow as tf

from models.optimizers.config import OptimizationConfig


def learning_rate(config: OptimizationConfig, step: tf.Tensor, total_steps: int) -> tf.Tensor | None:
    """float32 []: the rate of `step`; None where the optimizer's own variable decides (`schedule=constant`).

    `warmup_linear` rises in a straight line over `warmup_fraction` of the steps, then falls in one to 0: the first step
    is not at 0 and no step is wasted there (the triangle of the fast CIFAR recipes; Smith 2017). `warmup_cosine` falls
    in half a cosine (Loshchilov & Hutter 2016, arXiv 1608.03983).
    """
    if config.schedule == "constant":
        return None
    done = (tf.cast(step, tf.float32) + 0.5) / total_steps
    falling = (1.0 - done) / (1.0 - config.warmup_fraction)
    if config.schedule == "warmup_cosine":
        falling = 0.5 - 0.5 * tf.cos(math.pi * tf.minimum(falling, 1.0))
    rising = done / config.warmup_fraction if config.warmup_fraction else 1.0
    return config.learning_rate * tf.minimum(rising, falling)
