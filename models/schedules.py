"""The learning rate as a function of the step alone, so that a resumed run has the rate it would have had."""

import tensorflow as tf

from models.train_config import TrainConfig


def learning_rate(config: TrainConfig, step: tf.Tensor, total_steps: int) -> tf.Tensor | None:
    """float32 []: the rate of `step`; None where the optimizer's own variable decides (`schedule=constant`).

    `warmup_linear` rises in a straight line over `warmup_fraction` of the steps, then falls in one to 0: the first step
    is not at 0 and no step is wasted there (the triangle of the fast CIFAR recipes; Smith 2017).
    """
    if config.schedule == "constant":
        return None
    done = (tf.cast(step, tf.float32) + 0.5) / total_steps
    falling = (1.0 - done) / (1.0 - config.warmup_fraction)
    if config.warmup_fraction == 0.0:
        return config.learning_rate * falling
    return config.learning_rate * tf.minimum(done / config.warmup_fraction, falling)
