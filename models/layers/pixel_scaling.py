"""Scaling of pixels before a network's first layer."""

from typing import Any

import keras
import tensorflow as tf

from pipeline.datasets import builtin
from pipeline.datasets.description import Channels


@keras.saving.register_keras_serializable("streaming_cifar100")
class PixelScaling(keras.layers.Layer):
    """Pixels 0 to 255, uint8 or float32 [B, H, W, 3] -> float32, by `method`.

    "standardise" gives each channel zero mean and unit variance, by the `means` and `deviations` of the training
    images, 0 to 255; "unit" divides by 255, as in the original study.
    """

    def __init__(
        self,
        method: str,
        means: Channels = builtin.CHANNEL_MEANS,  # as of models that earlier versions saved
        deviations: Channels = builtin.CHANNEL_DEVIATIONS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})  # half precision would round pixels
        self.method = method
        self.means, self.deviations = tuple(means), tuple(deviations)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Scale a batch."""
        images = tf.cast(images, tf.float32)
        if self.method == "unit":
            return images / 255.0
        return (images - tf.constant(self.means)) / tf.constant(self.deviations)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Images keep their size."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a saved model needs to make the layer again."""
        config = super().get_config()
        del config["dtype"]
        return {**config, "method": self.method, "means": self.means, "deviations": self.deviations}

    def stock(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """The outputs of Keras's layer."""
        scale: Any = 1 / 255
        offset: Any = 0.0
        if self.method != "unit":
            scale = [1 / deviation for deviation in self.deviations]
            offset = [-mean / deviation for mean, deviation in zip(self.means, self.deviations, strict=True)]
        return keras.layers.Rescaling(scale, offset, dtype="float32", name=self.name)(inputs)
