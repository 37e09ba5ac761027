"""What a training costs: multiply-adds read from a built model's layers.

`train_petaflop` = sum over the steps of 3 x 2 x the multiply-adds of the convolutions and dense layers x the step's
images, / 1e15: two operations a multiply-add, and the backward pass counted as two forward ones. Seconds do not travel
between machines; this figure does.
"""

import math
from collections.abc import Mapping

import keras

from pipeline.resolution import FULL_SIZE


def multiply_adds(model: keras.Model, size: int = FULL_SIZE) -> int:
    """Of one image's way forward through the convolutions and dense layers of `model`, at `size` x `size` pixels."""
    if None in model.input.shape[1:3]:
        model = keras.models.clone_model(model, input_tensors=keras.Input((size, size, model.input.shape[3])))
    return sum(_layer_multiply_adds(layer) for layer in model.layers)


def train_petaflop(model: keras.Model, images_by_size: Mapping[int, int]) -> float:
    """Of training on so many images of each size (pixels each way), forward and backward."""
    return sum(6 * multiply_adds(model, size) * num_images for size, num_images in images_by_size.items()) / 1e15


def _layer_multiply_adds(layer: keras.layers.Layer) -> int:
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    if isinstance(layer, keras.layers.Conv2D):
        return math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3])
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.kernel.shape)
    return 0
