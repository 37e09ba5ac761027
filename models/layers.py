"""Layers that Keras lacks, or has slower."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Mean and standard deviation of the 50,000 training images of CIFAR-100, of 255. (They hold for the 40,000 to 0.13.)
CHANNEL_MEAN = (129.304, 124.070, 112.434)
CHANNEL_DEVIATION = (68.170, 65.392, 70.418)


@keras.saving.register_keras_serializable("streaming_cifar100")
class PixelScaling(keras.layers.Layer):
    """Pixels 0 to 255, uint8 or float32 [B, H, W, 3] -> float32, by `method`.

    "standardise" gives each channel zero mean and unit deviation; "unit" divides by 255, as the study did.
    """

    def __init__(self, method: str, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})  # half precision would round pixels
        self.method = method

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Scale a batch."""
        images = tf.cast(images, tf.float32)
        if self.method == "unit":
            return images / 255.0
        return (images - tf.constant(CHANNEL_MEAN)) / tf.constant(CHANNEL_DEVIATION)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Images keep their size."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        config = super().get_config()
        del config["dtype"]
        return {**config, "method": self.method}


@keras.saving.register_keras_serializable("streaming_cifar100")
class FusedBatchNormalization(keras.layers.Layer):
    """Batch normalisation over channels in one fused op: activations in the compute dtype, statistics in float32.

    Keras's own layer casts bfloat16 activations to float32 and runs a dozen elementwise ops, which costs the more the
    faster the machine multiplies bfloat16; `python -m benchmarks.train_step` prints the ratio. Ioffe and Szegedy 2015.

    Args:
      momentum: how much of the moving statistics stays at each step.
      epsilon: added to the variance.
      scale: whether a scale is learned beside the offset.
    """

    def __init__(self, momentum: float = 0.6, epsilon: float = 1e-3, scale: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make scale, offset and moving statistics, float32 [channels] each, never autocast."""

        def weight(name: str, initializer: str, trainable: bool) -> keras.Variable:
            return self.add_weight(
                name=name,
                shape=(input_shape[-1],),
                initializer=initializer,
                trainable=trainable,
                dtype="float32",
                autocast=False,
            )

        self.gamma = weight("gamma", "ones", self.scale)
        self.beta = weight("beta", "zeros", True)
        self.moving_mean = weight("moving_mean", "zeros", False)
        self.moving_variance = weight("moving_variance", "ones", False)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[B, H, W, C] -> the same shape and dtype; in training the batch's own statistics, and they are remembered.

        A frozen layer (`trainable = False`) answers in training as it always does.
        """
        if not training or not self.trainable:
            outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
                inputs,
                self.gamma.value,
                self.beta.value,
                mean=self.moving_mean.value,
                variance=self.moving_variance.value,
                epsilon=self.epsilon,
                is_training=False,
            )
            return outputs
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=True
        )
        keep = self.momentum
        self.moving_mean.assign(self.moving_mean * keep + mean * (1 - keep))
        self.moving_variance.assign(self.moving_variance * keep + variance * (1 - keep))
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Normalising keeps the shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon, "scale": self.scale}


@keras.saving.register_keras_serializable("streaming_cifar100")
class DiracInitializer(keras.initializers.VarianceScaling):
    """As many filters as there are channels hand their channel on unchanged, the others begin as faint noise.

    A convolution so begun loses nothing of what came to it (Zagoruyko & Komodakis 2017, arXiv 1706.00388; for part of
    the filters: Jordan 2024, arXiv 2404.00498, with PyTorch's noise: uniform, of variance 1 / (3 fan in)).
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1 / 3, mode="fan_in", distribution="uniform", seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        """float32 kernel [height, width, channels, filters]."""
        kernel = np.array(super().__call__(shape, dtype), np.float32)
        height, width, channels, filters = shape
        num_handed_on = min(channels, filters)
        kernel[..., :num_handed_on] = 0.0
        handed_on = np.arange(num_handed_on)
        kernel[(height - 1) // 2, (width - 1) // 2, handed_on, handed_on] = 1.0
        return tf.constant(kernel)

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make it again."""
        return {"seed": super().get_config()["seed"]}
