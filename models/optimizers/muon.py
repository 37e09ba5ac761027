"""Muon: momentum whose every step is made orthogonal, for convolution kernels; Nesterov's SGD for everything else.

A kernel's update has singular values that are all about 1, so that every direction of it learns at the same pace
(Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, kellerjordan.github.io/posts/muon).
Keras's own `Muon` leaves kernels of four axes to Adam, and those are the ones that matter here.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from models.optimizers import newton_schulz


@keras.saving.register_keras_serializable("streaming_cifar100")
class Muon(keras.optimizers.Optimizer):
    """Muon for variables of four axes, Nesterov's SGD for the others, under one learning rate.

    The rates of kernels, and of variables of one axis (biases, normalisation's offsets and scales), are multiples of
    `learning_rate`; kernels have their own momentum too. A step takes `num_iterations` of Newton-Schulz, with products
    in `compute_dtype`, of which "bfloat16" is enough. `renormalise` brings a kernel back to the norm sqrt(filters)
    before each step (airbench's Muon): with normalization behind each convolution its scale means nothing but how far a
    step turns it.
    """

    def __init__(
        self,
        learning_rate: float = 1.4,
        kernel_lr_multiplier: float = 0.13,
        kernel_momentum: float = 0.6,
        num_iterations: int = 3,
        momentum: float = 0.85,
        bias_lr_multiplier: float = 1.0,
        renormalise: bool = True,
        compute_dtype: str = "bfloat16",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.kernel_lr_multiplier, self.kernel_momentum = kernel_lr_multiplier, kernel_momentum
        self.num_iterations, self.compute_dtype = num_iterations, compute_dtype
        self.momentum, self.bias_lr_multiplier, self.renormalise = momentum, bias_lr_multiplier, renormalise
        self._velocities: list[keras.Variable] = []

    def build(self, variables: list[keras.Variable]) -> None:
        """Make one slot a variable."""
        if not self.built:
            super().build(variables)
            self._velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """Move one variable."""
        velocity = self._velocities[self._get_variable_index(variable)]
        is_kernel = len(variable.shape) == 4
        momentum = self.kernel_momentum if is_kernel else self.momentum
        velocity.assign(momentum * velocity + gradient)
        step = gradient + momentum * velocity
        if is_kernel:
            self._step_kernel(variable, step, learning_rate * self.kernel_lr_multiplier)
        else:
            ratio = self.bias_lr_multiplier if len(variable.shape) == 1 else 1.0
            variable.assign(variable - learning_rate * ratio * step)

    def _step_kernel(self, kernel: keras.Variable, step: tf.Tensor, rate: tf.Tensor) -> None:
        filters = kernel.shape[-1]
        value, step, rate = (tf.cast(tf.convert_to_tensor(one), tf.float32) for one in (kernel, step, rate))
        if self.renormalise:
            value = value * tf.math.divide_no_nan(filters**0.5, tf.norm(value))  # a kernel of zeros has no norm
        turned = orthogonalised(tf.reshape(step, [-1, filters]), self.num_iterations, self.compute_dtype)
        kernel.assign(tf.cast(value - rate * tf.reshape(turned, kernel.shape), kernel.dtype))

    def get_config(self) -> dict[str, Any]:
        """What a saved optimizer needs to be made again."""
        return {
            **super().get_config(),
            "kernel_lr_multiplier": self.kernel_lr_multiplier,
            "kernel_momentum": self.kernel_momentum,
            "num_iterations": self.num_iterations,
            "momentum": self.momentum,
            "bias_lr_multiplier": self.bias_lr_multiplier,
            "renormalise": self.renormalise,
            "compute_dtype": self.compute_dtype,
        }


def orthogonalised(matrix: tf.Tensor, num_iterations: int, compute_dtype: str = "bfloat16") -> tf.Tensor:
    """float32 [M, N] -> [M, N] with the same singular vectors and singular values of about 1, by Newton-Schulz.

    Three iterations leave the values that begin at 2 % of the matrix's norm or more within a tenth of 1. Iterations
    share a Gram matrix where that is cheaper (`models.optimizers.newton_schulz`).
    """
    rows, columns = matrix.shape
    is_tall = rows > columns
    x = tf.cast(matrix / (tf.norm(matrix) + 1e-7), compute_dtype)
    for quintics in newton_schulz.groups(num_iterations, (min(rows, columns), max(rows, columns))):
        multiplier = _iterated(tf.matmul(x, x, transpose_a=is_tall, transpose_b=not is_tall), quintics)
        x = tf.matmul(x, multiplier) if is_tall else tf.matmul(multiplier, x)
    return tf.cast(x, tf.float32)


def _iterated(gram: tf.Tensor, quintics: Sequence[tuple[float, float, float]]) -> tf.Tensor:
    """The matrix [M, M] by which iterations of these quintics multiply x, from `gram`, x xT [M, M]."""
    total = factor = _factor(gram, *quintics[0])
    for quintic in quintics[1:]:
        gram = tf.matmul(tf.matmul(factor, gram), factor)
        factor = _factor(gram, *quintic)
        total = tf.matmul(factor, total)
    return total


def _factor(gram: tf.Tensor, a: float, b: float, c: float) -> tf.Tensor:
    return a * tf.eye(gram.shape[0], dtype=gram.dtype) + b * gram + c * tf.matmul(gram, gram)
