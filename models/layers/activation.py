"""An activation whose gradient XLA compiles on CPUs.

TensorFlow computes the gradients of silu and gelu in bfloat16 as half a dozen unfused ops; one fused program takes
about a quarter of their time. oneDNN's forward ops are fast already. `python -m benchmarks.train_step` times steps.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from models.runtime import device

OF_MANY_OPS = (keras.activations.silu, keras.activations.gelu)  # in their gradient


@keras.saving.register_keras_serializable("streaming_cifar100")
class Activation(keras.layers.Activation):
    """`keras.layers.Activation`, faster to train in bfloat16 on CPUs.

    Its outputs are Keras's; its gradients are computed in float32 and rounded once. On GPUs, in other dtypes, and for
    activations whose gradient is one op already, or if not `compiled`, it is Keras's layer unchanged.
    """

    def __init__(self, activation: Any, compiled: bool = True, **kwargs: Any) -> None:
        super().__init__(activation, **kwargs)
        self.compiled = compiled

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The activation of each value, in its dtype."""
        is_one_op = self.activation not in OF_MANY_OPS
        if not self.compiled or is_one_op or self.compute_dtype != "bfloat16" or device.has_gpu():
            return super().call(inputs)

        @tf.custom_gradient
        def activated(values: tf.Tensor) -> Any:
            return self.activation(values), lambda upstream: _gradient(self.activation, values, upstream)

        return activated(inputs)

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "compiled": self.compiled}

    def stock(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """The outputs of Keras's layer, in float32."""
        return keras.layers.Activation(self.activation, dtype="float32", name=self.name)(inputs)


# Of the module, so that layers of one shape share a program: XLA takes 50 ms to compile each.
@tf.function(jit_compile=True, autograph=False)
def _gradient(activation: Callable[..., tf.Tensor], inputs: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    values = tf.cast(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(values)
        outputs = activation(values)
    return tf.cast(tape.gradient(outputs, values, tf.cast(upstream, tf.float32)), inputs.dtype)
