"""The arithmetic of a training: multiply-adds read from graphs, of convolutions, dense layers and matrix products.

A multiply-add is two operations. Three counts, in 1e15 operations:
  train_petaflop      by the usual convention, the same on every machine: 3 x the forward pass, padding included, at
                      each step's resolution
  executed_petaflop   of the forward pass and the gradients that this machine computes: without the padding that
                      `models.layers.convolution` leaves out, and without unused gradients
  optimizer_petaflop  of the optimizer's own matrix products
"""

import math
from collections.abc import Iterable, Mapping

import keras
import tensorflow as tf

from models import trunk
from models.config.training import TrainConfig
from models.optimizers import newton_schulz

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def multiply_adds(model: keras.Model, size: int) -> int:
    """Multiply-adds of one image's forward pass through convolutions and dense layers, at `size` x `size` pixels.

    Padding is counted.
    """
    images = tf.TensorSpec([None, size, size, 3], tf.float32)  # of a batch of unknown size, no padding is left out
    traced = tf.function(lambda images: model(images, training=False), autograph=False)
    graph = traced.get_concrete_function(images).graph
    return sum(_of_one_image(operation) for operation in graph.get_operations())


def train_petaflop(model: keras.Model, config: TrainConfig, images_by_size: Mapping[int, int]) -> float:
    """Petaflop of training on numbers of images by size (pixels each way), forward and backward; SAM does both twice.

    The frozen part of a trunk has no backward pass.
    """
    operations = 0
    for size, num_images in images_by_size.items():
        frozen = multiply_adds(trunk.frozen_part(model, config), size) if config.freeze_trunk else 0
        operations += num_images * (6 * multiply_adds(model, size) - 4 * frozen)
    return (2 if config.sam_radius else 1) * operations / 1e15


def executed_petaflop(
    model: keras.Model, config: TrainConfig, images_by_size: Mapping[int, int], batch_size: int
) -> float:
    """Petaflop that this machine multiplies in batches of `batch_size` for the same, the optimizer's left out."""
    multiplied = sum(
        num_images * executed_multiply_adds(model, size, batch_size) / batch_size
        for size, num_images in images_by_size.items()
    )
    return (2 if config.sam_radius else 1) * 2 * multiplied / 1e15


def optimizer_petaflop(model: keras.Model, config: TrainConfig, num_steps: int) -> float:
    """Petaflop of the optimizer's own matrix products: Muon's iterations; 0 for the other optimizers."""
    if config.optimizer != "muon":
        return 0.0
    kernels = model.trainable_variables
    products = sum(newton_schulz.multiply_adds(tuple(kernel.shape), config.muon_iterations) for kernel in kernels)
    return 2 * products * num_steps / 1e15


def executed_multiply_adds(model: keras.Model, size: int, batch_size: int) -> int:
    """Multiply-adds of the forward pass and of the gradients of one batch of images of `size` x `size` pixels."""

    def logits_and_gradients(images: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = tf.nest.flatten(model(images, training=True))
            total = sum(map(tf.reduce_sum, logits))
        return logits + tape.gradient(total, [variable.value for variable in model.trainable_variables])

    images = tf.TensorSpec([batch_size, size, size, 3], tf.float32)
    graph = tf.function(logits_and_gradients, autograph=False).get_concrete_function(images).graph
    return graph_multiply_adds(output.op for output in graph.outputs)


def graph_multiply_adds(needed: Iterable[tf.Operation]) -> int:
    """Multiply-adds of operations and of all that they need; shapes, batches included, are static."""
    return sum(map(batch_multiply_adds, with_needed(needed)))


def with_needed(operations: Iterable[tf.Operation]) -> set[tf.Operation]:
    """Operations of a graph and all that they need; the others are not executed."""
    waiting, reached = list(operations), set()
    while waiting:
        operation = waiting.pop()
        if operation not in reached:
            reached.add(operation)
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return reached


def _of_one_image(operation: tf.Operation) -> int:
    if operation.type in CONVOLUTIONS:
        _, height, width, _ = operation.outputs[0].shape
        return math.prod(operation.inputs[1].shape) * height * width
    return math.prod(operation.inputs[1].shape) if operation.type == "MatMul" else 0


def batch_multiply_adds(operation: tf.Operation) -> int:
    """Multiply-adds of one operation; 0 for all but products, convolutions and their gradients."""
    if operation.type == "MatMul":
        return math.prod(operation.inputs[0].shape) * operation.outputs[0].shape[-1]
    if operation.type in CONVOLUTIONS:
        kernel, outputs = operation.inputs[1], operation.outputs[0]
    elif operation.type.endswith("BackpropInput"):
        kernel, outputs = operation.inputs[1:3]
    elif operation.type.endswith("BackpropFilter"):
        kernel, outputs = operation.outputs[0], operation.inputs[2]
    else:
        return 0
    return math.prod(kernel.shape) * math.prod(outputs.shape[:3])
