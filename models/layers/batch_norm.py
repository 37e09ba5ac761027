"""Batch normalization in one fused operation."""

import functools
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("streaming_cifar100")
class FusedBatchNormalization(keras.layers.Layer):
    """Batch normalization over channels in one fused op: activations in the compute dtype, statistics in float32.

    Keras's layer casts bfloat16 activations to float32 and runs a dozen elementwise ops, which costs the more the
    faster the machine multiplies bfloat16; `python -m benchmarks.train_step` prints the ratio. Ioffe and Szegedy 2015.
    `momentum` is the decay of the moving statistics at each step. The offset is always trained, the scale if `scale`.
    Under a distribution strategy, statistics are those of the replica's images, or if `synchronized` of all replicas'.
    """

    def __init__(self, momentum: float = 0.6, epsilon: float = 1e-3, scale: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum, self.epsilon, self.scale = momentum, epsilon, scale
        self.synchronized = False  # of a training, and not of the saved layer

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make scale, offset and moving statistics, float32 [channels] each, never autocast."""
        make = functools.partial(self.add_weight, input_shape[-1:], dtype="float32", autocast=False)
        self.gamma = make(name="gamma", initializer="ones", trainable=self.scale)
        self.beta = make(name="beta", initializer="zeros", trainable=True)
        self.moving_mean = make(name="moving_mean", initializer="zeros", trainable=False)
        self.moving_variance = make(name="moving_variance", initializer="ones", trainable=False)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[B, H, W, C] -> the same shape and dtype, by the batch's statistics in training, else by the moving ones.

        A frozen layer (`trainable = False`) uses the moving ones in training too.
        """
        is_training = training and self.trainable
        context = tf.distribute.get_replica_context()
        if is_training and self.synchronized and context is not None and context.num_replicas_in_sync > 1:
            outputs, mean, variance = self._normalized_together(inputs, context)
        else:
            moving = {} if is_training else {"mean": self.moving_mean.value, "variance": self.moving_variance.value}
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=is_training, **moving
            )
        if is_training:
            keep = self.momentum
            self.moving_mean.assign(self.moving_mean * keep + mean * (1 - keep))
            self.moving_variance.assign(self.moving_variance * keep + variance * (1 - keep))
        return outputs

    def _normalized_together(
        self, inputs: tf.Tensor, context: tf.distribute.ReplicaContext
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """As the fused op, by the statistics of all replicas, whose batches have one size."""
        values = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(values, [0, 1, 2])
        # Means are taken from the moving ones on: squares of large numbers would leave few digits of their difference.
        shift = self.moving_mean.value
        sums = context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.stack([mean - shift, variance + (mean - shift) ** 2]))
        mean, variance = sums[0] + shift, sums[1] - sums[0] ** 2
        outputs = tf.nn.batch_normalization(
            values, mean, variance, self.beta.value, self.gamma.value, variance_epsilon=self.epsilon
        )
        count = tf.cast(tf.size(inputs) // inputs.shape[-1] * context.num_replicas_in_sync, tf.float32)
        return tf.cast(outputs, inputs.dtype), mean, variance * count / (count - 1.0)  # unbiased, as of the fused op

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Normalising keeps the shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon, "scale": self.scale}

    def stock(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """The outputs of Keras's layer with the same weights, in float32."""
        layer = keras.layers.BatchNormalization(
            momentum=self.momentum, epsilon=self.epsilon, dtype="float32", name=self.name
        )
        outputs = layer(inputs)
        layer.set_weights([self.gamma, self.beta, self.moving_mean, self.moving_variance])
        return outputs
