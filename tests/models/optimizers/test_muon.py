"""Muon against NumPy, step by step, and as a Keras optimizer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.optimizers.muon import Muon, orthogonalised
from models.optimizers.newton_schulz import multiply_adds, quintics


def reference(matrix: np.ndarray, num_iterations: int) -> np.ndarray:
    """The quintics act on the singular values alone."""
    left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    values /= np.linalg.norm(matrix)
    for a, b, c in quintics(num_iterations):
        values = a * values + b * values**3 + c * values**5
    return left @ np.diag(values) @ right


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16)])
@pytest.mark.parametrize("num_iterations", [1, 3, 5])
def test_iterations_are_quintics_of_the_singular_values(shape, num_iterations):
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = orthogonalised(tf.constant(matrix), num_iterations, "float32")
    np.testing.assert_allclose(found, reference(matrix, num_iterations), atol=1e-4)


def test_each_quintic_takes_the_interval_before_it_nearest_to_one():
    lowest, highest = 0.02, 1.0
    for a, b, c in quintics(3):
        values = np.linspace(lowest, highest, 100_001)
        values = a * values + b * values**3 + c * values**5
        lowest, highest = values.min(), values.max()
        # Equal ripples, at four points in turn on both sides, are what no other quintic's largest error is below.
        extremes = [values[0], values[: len(values) // 2].max(), values[len(values) // 4 :].min(), values[-1]]
        np.testing.assert_allclose(extremes, [lowest, highest, lowest, highest], atol=1e-3)
        assert highest - 1.0 == pytest.approx(1.0 - lowest, abs=1e-3)
    assert lowest == pytest.approx(0.91, abs=0.005)


def test_further_iterations_come_nearer_to_one():
    matrix = np.random.default_rng(5).normal(size=(60, 200))
    values = np.linalg.svd(orthogonalised(tf.constant(matrix, tf.float32), 5, "float32"), compute_uv=False)
    np.testing.assert_allclose(values, 1.0, atol=1e-4)


def test_five_iterations_in_bfloat16_leave_singular_values_about_one():
    matrix = tf.constant(np.random.default_rng(1).normal(size=(60, 200)).astype(np.float32))
    values = np.linalg.svd(orthogonalised(matrix, 5).numpy(), compute_uv=False)
    assert 0.6 < values.min() < values.max() < 1.3


def test_no_gradient_is_no_step_and_no_number_lost():
    assert not orthogonalised(tf.zeros([4, 6]), 3).numpy().any()


def test_smallest_gradient_keeps_its_direction():
    matrix = tf.constant(np.full((4, 6), 1e-8, np.float32))  # of norm 5e-8
    assert (orthogonalised(matrix, 3, "float32").numpy() > 0).all()


def test_two_steps_equal_numpy():
    generator = np.random.default_rng(2)
    kernel, offset, head = (generator.normal(size=shape).astype(np.float32) for shape in ((3, 3, 4, 8), (8,), (8, 5)))
    variables = [keras.Variable(value) for value in (kernel, offset, head)]
    optimizer = Muon(
        0.5,
        kernel_lr_multiplier=0.2,
        kernel_momentum=0.6,
        momentum=0.85,
        bias_lr_multiplier=8.0,
        compute_dtype="float32",
    )
    velocities = [np.zeros_like(value) for value in (kernel, offset, head)]
    for _ in range(2):
        gradients = [generator.normal(size=value.shape).astype(np.float32) for value in (kernel, offset, head)]
        optimizer.apply([tf.constant(gradient) for gradient in gradients], variables)
        steps = []
        for place, (gradient, momentum) in enumerate(zip(gradients, (0.6, 0.85, 0.85), strict=True)):
            velocities[place] = momentum * velocities[place] + gradient
            steps.append(gradient + momentum * velocities[place])
        kernel = kernel * np.sqrt(8) / np.linalg.norm(kernel)
        kernel = kernel - 0.5 * 0.2 * reference(steps[0].reshape(-1, 8), 3).reshape(kernel.shape)
        offset = offset - 0.5 * 8.0 * steps[1]
        head = head - 0.5 * steps[2]
    for variable, expected in zip(variables, (kernel, offset, head), strict=True):
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-4)


def test_configuration_makes_the_same_optimizer_again():
    optimizer = Muon(0.3, kernel_lr_multiplier=0.2, num_iterations=4, renormalise=False, weight_decay=0.01)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, Muon)
    assert again.get_config() == optimizer.get_config()


def test_name_in_saved_models_is_that_of_earlier_versions():
    assert keras.saving.get_registered_name(Muon) == "streaming_cifar100>Muon"


def test_trains_in_keras_fit():
    images, labels = np.random.default_rng(3).normal(size=(64, 8, 8, 3)), np.arange(64) % 4
    images[..., 0] += labels[:, None, None]
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(8, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(Muon(0.05), loss)
    history = model.fit(images, labels, epochs=8, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]


@pytest.mark.parametrize(("shape", "num_iterations"), [((3, 3, 4, 8), 3), ((1, 1, 8, 9), 3), ((3, 3, 4, 8), 5)])
def test_cost_is_that_of_the_products_in_the_graph(shape, num_iterations):
    matrix = tf.TensorSpec([shape[0] * shape[1] * shape[2], shape[3]], tf.float32)
    made = tf.function(lambda step: orthogonalised(step, num_iterations)).get_concrete_function(matrix)
    products = [operation for operation in made.graph.get_operations() if operation.type == "MatMul"]
    expected = 0
    for product in products:
        rows, columns = product.outputs[0].shape
        expected += rows * columns * product.inputs[0].shape.num_elements() // rows
    assert multiply_adds(shape, num_iterations) == expected > 0


def test_few_iterations_of_a_long_kernel_share_a_gram_matrix():
    assert multiply_adds((3, 3, 64, 64), 3) < 0.5 * 3 * (2 * 64 * 64 * 576 + 64**3)
    assert multiply_adds((1, 1, 64, 64), 3) == 3 * (2 * 64**3 + 64**3)


def test_matrices_are_not_made_orthogonal():
    assert multiply_adds((256, 100), 3) == 0


@pytest.mark.parametrize(("num_iterations", "spread"), [(3, 30.0), (3, 200.0), (5, 200.0)])
def test_bfloat16_turns_small_singular_values_too(num_iterations, spread):
    left, _, right = np.linalg.svd(np.random.default_rng(4).normal(size=(48, 300)), full_matrices=False)
    matrix = (left * np.geomspace(1.0, 1.0 / spread, 48) @ right).astype(np.float32)
    expected = np.diag(left.T @ reference(matrix, num_iterations) @ right.T)
    found = np.diag(left.T @ orthogonalised(tf.constant(matrix), num_iterations).numpy() @ right.T)
    np.testing.assert_allclose(found, expected, rtol=0.2)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_kernel_and_gradient_of_zeros_stay_finite(dtype):
    """A kernel that begins at zero has no norm to divide by: microsoft/dion#24."""
    kernel = keras.Variable(np.zeros((3, 3, 4, 8)), dtype=dtype)
    optimizer = Muon(0.5, compute_dtype=dtype)
    optimizer.apply([tf.zeros(kernel.shape, dtype)], [kernel])
    assert not np.any(kernel.numpy())
    optimizer.apply([tf.ones(kernel.shape, dtype)], [kernel])
    values = kernel.numpy().astype(np.float32)
    assert np.isfinite(values).all()
    assert np.abs(values).max() > 0.0
