"""Work of the parts of a step: all multiply-adds that are executed, and every input and output once."""

import pytest
import tensorflow as tf

from benchmarks.profile import work
from benchmarks.profile.parts import MULTIPLYING
from models.config.training import TrainConfig
from models.layers.convolution import Convolution
from models.optimizers.build import build_optimizer
from models.reporting import flops
from models.training.step import TrainStep
from pipeline.data_config import DataConfig
from tests.models.architectures.networks import CIFAR100, built


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "float32"])
def test_multiply_adds_of_the_parts_add_up(precision):
    config = TrainConfig(optimizer="muon")
    model = built(architecture="speedrun", precision=precision, widths="8,8,16", bottlenecks="8,8,8")
    made = build_optimizer(config, model.trainable_variables)
    step = TrainStep(model, made, DataConfig(batch_size=6), CIFAR100, config, total_steps=10)
    batch = {"image": tf.zeros([6, 32, 32, 3], tf.uint8), "index": tf.range(6, dtype=tf.int64)}
    batch |= {
        "pass_number": tf.zeros([6], tf.int64),
        "fine": tf.zeros([6], tf.int32),
        "coarse": tf.zeros([6], tf.int32),
    }
    works = work.by_part(step.graph(batch))

    count = {part: of_part.multiply_adds.total() for part, of_part in works.items() if of_part.operations}
    assert set(count) == {*MULTIPLYING, "heads"}
    of_optimizer = flops.optimizer_petaflop(model, config, num_steps=1) * 1e15 / 2
    assert count["optimizer"] == pytest.approx(of_optimizer, rel=1e-9)
    of_metrics = 6 * 100 * 20  # fine probabilities, summed by superclass
    executed = flops.executed_multiply_adds(model, 32, batch_size=6)
    assert sum(count.values()) - of_metrics == pytest.approx(executed + of_optimizer, rel=1e-9)

    of_dense_layers = 3 * 6 * model.get_layer("fine_logits").kernel.shape[0] * (100 + 20)
    assert count["heads"] == of_dense_layers + of_metrics
    # The first convolution is not trained, and nothing needs the gradient of the images.
    whitening = 6 * 31 * 31 * 2 * 2 * 3 * 24
    assert count["forward"] - whitening == pytest.approx(count["kernel_gradients"], rel=0.2)
    assert (
        works["forward"].dtype
        == works["kernel_gradients"].dtype
        == {"mixed_bfloat16": "bfloat16"}.get(precision, precision)
    )
    assert works["augmentation"].bytes_moved > 6 * 32 * 32 * 3 * (1 + 4)  # uint8 -> float32


@pytest.mark.parametrize("size", [3, 6])  # by pixel, and by oneDNN with a kernel gradient of our own
def test_products_of_a_convolution_in_bfloat16_are_told_apart(size):
    layer = Convolution(5, 3, dtype="mixed_bfloat16")
    layer.build([2, size, size, 4])

    @tf.function
    def gradients(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            with tf.name_scope("convolution"):
                outputs = layer(images)
        with tf.name_scope("gradients"):
            return outputs, *tape.gradient(outputs, [images, layer.kernel.value])

    images = tf.TensorSpec([2, size, size, 4], tf.bfloat16)
    works = work.by_part(gradients.get_concrete_function(images).graph)
    counts = [works[part].multiply_adds["bfloat16"] for part in MULTIPLYING[:3]]
    whole = 2 * size * size * 9 * 4 * 5
    without_padding = 2 * (3 * size - 2) ** 2 * 4 * 5
    assert counts == ([without_padding] * 3 if size == 3 else [whole, whole, without_padding])


def test_bytes_are_those_of_inputs_and_outputs():
    variable = tf.Variable(tf.zeros([10, 20]))

    @tf.function
    def call(values, more):
        with tf.name_scope("heads"):
            product = tf.matmul(values, more)  # [10, 30] x [30, 20], float32
        with tf.name_scope("optimizer"):
            variable.assign_sub(product)
        with tf.name_scope("augmentation"):
            halves = tf.reshape(tf.cast(values[:2], tf.bfloat16), [60])
            return tf.identity(halves), tf.raw_ops.ShapeN(input=[values])

    graph = call.get_concrete_function(tf.TensorSpec([10, 30]), tf.TensorSpec([30, 20])).graph
    works = work.by_part(graph)
    assert works["heads"].bytes_moved == 4 * (300 + 600 + 200)
    assert works["heads"].multiply_adds == {"float32": 10 * 30 * 20}
    assert works["optimizer"].bytes_moved == 4 * 3 * 200  # the step and the variable are read, the variable is written
    assert works["augmentation"].bytes_moved == 2 * 4 * 60 + (4 + 2) * 60  # a slice, then a cast


def test_what_xla_compiles_is_one_operation():
    @tf.function(jit_compile=True)
    def compiled(values):
        return tf.exp(values) * values + values

    @tf.function
    def call(values):
        with tf.name_scope("gradients"):
            return compiled(values)

    works = work.by_part(call.get_concrete_function(tf.TensorSpec([100])).graph)
    assert works["activations"].bytes_moved == 2 * 4 * 100
