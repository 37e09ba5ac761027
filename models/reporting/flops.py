"""What a training costs: multiply-adds read from a network's graph.

`train_petaflop` = sum over the steps of 3 x 2 x the multiply-adds of the convolutions and dense layers, at that step's
resolution, x its images, / 1e15: two operations a multiply-add, and the backward pass counted as two forward ones.
Seconds do not travel between machines; this figure does.
"""

import math
from collections.abc import Mapping

import keras
import tensorflow as tf

from models import trunk
from models.config.training import TrainConfig
from models.optimizers import newton_schulz
from pipeline.resolution import FULL_SIZE

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def multiply_adds(model: keras.Model, size: int = FULL_SIZE) -> int:
    """Of one image's way forward through the convolutions and dense layers of `model`, at `size` x `size` pixels."""
    image = tf.TensorSpec([1, size, size, 3], tf.float32)
    graph = tf.function(lambda images: model(images, training=False)).get_concrete_function(image).graph
    return sum(map(_multiply_adds_of, graph.get_operations()))


def train_petaflop(model: keras.Model, config: TrainConfig, images_by_size: Mapping[int, int]) -> float:
    """Of training on so many images of each size (pixels each way), forward and backward; SAM does both twice.

    What is frozen of a trunk has no backward pass.
    """
    passes = 2 if config.sam_radius else 1
    operations = sum(_operations(model, config, size) * num_images for size, num_images in images_by_size.items())
    return passes * operations / 1e15


def _operations(model: keras.Model, config: TrainConfig, size: int) -> int:
    """Of one image's way forward and backward."""
    frozen = multiply_adds(trunk.frozen_part(model, config), size) if config.freeze_trunk else 0
    return 6 * multiply_adds(model, size) - 4 * frozen


def optimizer_petaflop(model: keras.Model, config: TrainConfig, num_steps: int) -> float:
    """Of an optimizer's own matrix products over so many steps: Muon's iterations; 0 for the others."""
    if config.optimizer != "muon":
        return 0.0
    kernels = model.trainable_variables
    products = sum(newton_schulz.multiply_adds(tuple(kernel.shape), config.muon_iterations) for kernel in kernels)
    return 2 * products * num_steps / 1e15


def _multiply_adds_of(operation: tf.Operation) -> int:
    if operation.type in CONVOLUTIONS:
        _, height, width, _ = operation.outputs[0].shape
        return math.prod(operation.inputs[1].shape) * height * width
    return math.prod(operation.inputs[1].shape) if operation.type == "MatMul" else 0
