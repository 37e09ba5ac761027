"""Stochastic gradient descent with Nesterov's momentum that passes over each weight once.

Keras's own makes its update of seven operations, each of which reads and writes all of a variable; TensorFlow has one
for the whole. `python -m benchmarks.train_step` prints what a whole step takes.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("streaming_cifar100")
class FusedSGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD`: the same arguments, slots and updates, to the last bit where XLA compiles neither."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Move one variable, and its momentum if there is any."""
        if not self.momentum:
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self.momentums[self._get_variable_index(variable)]
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=momentum.value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )
