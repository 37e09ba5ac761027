"""Slow weights that follow the trained ones, and are what is evaluated: a moving average, or Lookahead's.

A moving average (Polyak & Juditsky 1992; of each step, Izmailov et al. 2018 arXiv 1803.05407 for why) only follows.
Lookahead (Zhang et al. 2019, arXiv 1907.08610) also pulls the trained weights back to the slow ones every few steps;
these then follow less and less of the way, as in airbench (Jordan 2024, arXiv 2404.00498). Both average the moving
statistics of batch normalization too, so that they fit the averaged kernels.
"""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from models.optimizers.config import OptimizationConfig

LOOKAHEAD_DECAY = 0.95  # to the power of the steps between two pulls, at the end of the run


class SlowWeights:
    """A copy of a model's weights that moves after each step as the configuration says."""

    def __init__(self, model: keras.Model, config: OptimizationConfig, total_steps: int) -> None:
        self._fast = [variable for variable in model.variables if variable.dtype == "float32"]
        self.variables = [
            keras.Variable(variable, trainable=False, dtype="float32", name=f"slow_{place}")
            for place, variable in enumerate(self._fast)
        ]
        self._config, self._total_steps = config, total_steps

    def reset(self) -> None:
        """Begin at the trained weights."""
        for slow, fast in zip(self.variables, self._fast, strict=True):
            slow.assign(fast)

    def update(self, number: tf.Tensor) -> None:
        """Follow the weights that step `number` (int64 []) left; in a graph."""
        if self._config.ema_decay:
            done = tf.cast(number, tf.float32)
            # Young averages forget fast, or the initial weights would weigh for long.
            self._follow(tf.minimum(self._config.ema_decay, (1.0 + done) / (10.0 + done)))
            return
        is_due = (number + 1) % self._config.lookahead_steps == 0
        is_last = number + 1 == self._total_steps  # what came since the pull before would be lost
        tf.cond(is_due | is_last, lambda: self._pull(number), lambda: None)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model have the slow weights for a while; afterwards it has its own again, to the last bit.

        A weight that was set meanwhile, by a callback, keeps its value, in the model and among the slow weights.
        """
        kept = [tf.identity(fast.value) for fast in self._fast]
        self.hand_over()
        try:
            yield
        finally:
            for slow, fast, value in zip(self.variables, self._fast, kept, strict=True):
                if tf.reduce_all(fast.value == slow.value):
                    fast.assign(value)
                else:
                    slow.assign(fast)

    def hand_over(self) -> None:
        """Make the slow weights the model's."""
        for slow, fast in zip(self.variables, self._fast, strict=True):
            fast.assign(slow)

    def _follow(self, decay: tf.Tensor) -> None:
        for slow, fast in zip(self.variables, self._fast, strict=True):
            slow.assign(slow + (1.0 - decay) * (fast.value - slow.value))

    def _pull(self, number: tf.Tensor) -> None:
        done = (tf.cast(number, tf.float32) + 1.0) / self._total_steps
        self._follow(LOOKAHEAD_DECAY**self._config.lookahead_steps * done**3)
        self.hand_over()


def build(model: keras.Model, config: OptimizationConfig, total_steps: int) -> SlowWeights | None:
    """The slow weights of a configuration; None where it has none."""
    return SlowWeights(model, config, total_steps) if config.ema_decay or config.lookahead_steps else None
