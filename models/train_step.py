"""One training step on the device: augment, forward, backward, update; one traced graph for the whole run."""

from typing import Any

import keras
import tensorflow as tf

from models import metrics, schedules
from models.train_config import TrainConfig
from pipeline.augment.layer import Augmentation, apply_all, draw_all


class TrainStep:
    """Callable `step(batch, number)`; adds the batch's sums (`models.metrics`) to `sums`.

    Everything random in it follows from the run's seed and the step's number. XLA compiles it where `jit_compile` is
    on, or is auto and the device is a GPU and every transform can be compiled (on CPUs XLA is slower).
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        transforms: tuple[Augmentation, ...],
        config: TrainConfig,
        total_steps: int,
    ) -> None:
        self.sums = tf.Variable(tf.zeros(len(metrics.SUMS), tf.float64), trainable=False)
        self._model, self._optimizer, self.transforms = model, optimizer, transforms
        self._config, self._total_steps = config, total_steps
        self._update = tf.function(self._updated, jit_compile=_uses_xla(config, transforms) or None)
        self._step = tf.function(self._drawn_and_updated)

    def __call__(self, batch: dict[str, tf.Tensor], number: int) -> None:
        """Train on a batch, uint8 [B, 32, 32, 3] images with int32 [B] labels, as step `number` of the run."""
        self._step(batch, tf.constant(number, tf.int64))

    def _drawn_and_updated(self, batch: dict[str, tf.Tensor], number: tf.Tensor) -> None:
        # Drawn outside of what XLA may compile, so that a draw is the same with and without it.
        num_images = tf.shape(batch["image"])[0]
        self._update(batch, draw_all(self.transforms, self._config.seed, number, num_images), number)

    def _updated(self, batch: dict[str, tf.Tensor], drawn: tuple[Any, ...], number: tf.Tensor) -> None:
        rate = schedules.learning_rate(self._config, number, self._total_steps)
        if rate is not None:
            self._optimizer.learning_rate.assign(rate)
        images = apply_all(batch["image"], self.transforms, drawn)
        guard = _OverflowGuard(self._model, self._optimizer)
        with tf.GradientTape() as tape:
            logits = self._model(images, training=True)
            loss = tf.reduce_mean(metrics.objective(self._config, logits, batch))
            scaled_loss = self._optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, [variable.value for variable in self._model.trainable_variables])
        guard.check(gradients)
        self._optimizer.apply(gradients, self._model.trainable_variables)
        self.sums.assign_add(guard.zero_if_skipped(metrics.sums(self._config, logits, batch)))


class _OverflowGuard:
    """Lets a step that loss scaling skips leave no trace: in batch normalisation's statistics, in the epoch's sums.

    Keras skips the update of the weights alone; an overflow in the forward pass would leave its infinity in them.
    Without loss scaling this does nothing, and a loss that is not a number stays to be seen.
    """

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        self._scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        self._variables = model.non_trainable_variables if self._scales else []
        self._before = [tf.identity(variable.value) for variable in self._variables]
        self._is_finite = tf.constant(True)

    def check(self, gradients: list[tf.Tensor]) -> None:
        """See whether the step will be skipped, and put the statistics back if so."""
        if not self._scales:
            return
        self._is_finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
        for variable, before in zip(self._variables, self._before, strict=True):
            variable.assign(tf.where(self._is_finite, variable.value, before))

    def zero_if_skipped(self, sums: tf.Tensor) -> tf.Tensor:
        """The sums of a batch that was trained on; zeros, its number of examples too, for one that was skipped."""
        return tf.where(self._is_finite, sums, tf.zeros_like(sums))


def _uses_xla(config: TrainConfig, transforms: tuple[Augmentation, ...]) -> bool:
    if config.jit_compile == "auto":
        return bool(tf.config.list_logical_devices("GPU")) and all(transform.xla for transform in transforms)
    return config.jit_compile == "on"
