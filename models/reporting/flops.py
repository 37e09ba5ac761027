"""The arithmetic of a training, whatever the machine: multiply-adds read from a network's graph.

`train_petaflop` = sum over the steps of 3 x 2 x the multiply-adds of the convolutions and dense layers, at that step's
resolution, x its images, / 1e15: two operations a multiply-add, and the backward pass counted as two forward ones.
"""

import math
from collections.abc import Mapping

import keras
import tensorflow as tf

from models import trunk
from models.config.training import TrainConfig
from models.optimizers import newton_schulz

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def multiply_adds(model: keras.Model, size: int) -> int:
    """Multiply-adds of one image's forward pass through convolutions and dense layers, at `size` x `size` pixels."""
    image = tf.TensorSpec([1, size, size, 3], tf.float32)
    graph = tf.function(lambda images: model(images, training=False)).get_concrete_function(image).graph
    return sum(map(_multiply_adds_of, graph.get_operations()))


def train_petaflop(model: keras.Model, config: TrainConfig, images_by_size: Mapping[int, int]) -> float:
    """Petaflop of training on numbers of images by size (pixels each way), forward and backward; SAM does both twice.

    The frozen part of a trunk has no backward pass.
    """
    operations = 0
    for size, num_images in images_by_size.items():
        frozen = multiply_adds(trunk.frozen_part(model, config), size) if config.freeze_trunk else 0
        operations += num_images * (6 * multiply_adds(model, size) - 4 * frozen)
    return (2 if config.sam_radius else 1) * operations / 1e15


def optimizer_petaflop(model: keras.Model, config: TrainConfig, num_steps: int) -> float:
    """Petaflop of the optimizer's own matrix products: Muon's iterations; 0 for the other optimizers."""
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
