"""Scaling of pixels before a network's first layer."""

from typing import Any

import keras
import tensorflow as tf

# Mean and standard deviation of the 50,000 training images of CIFAR-100, of 255. (They hold for the 40,000 to 0.13.)
CHANNEL_MEAN = (129.304, 124.070, 112.434)
CHANNEL_STD = (68.170, 65.392, 70.418)


@keras.saving.register_keras_serializable("streaming_cifar100")
class PixelScaling(keras.layers.Layer):
    """Pixels 0 to 255, uint8 or float32 [B, H, W, 3] -> float32, by `method`.

    "standardise" gives each channel zero mean and unit variance; "unit" divides by 255, as in the original study.
    """

    def __init__(self, method: str, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})  # half precision would round pixels
        self.method = method

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Scale a batch."""
        images = tf.cast(images, tf.float32)
        if self.method == "unit":
            return images / 255.0
        return (images - tf.constant(CHANNEL_MEAN)) / tf.constant(CHANNEL_STD)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Images keep their size."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        config = super().get_config()
        del config["dtype"]
        return {**config, "method": self.method}
