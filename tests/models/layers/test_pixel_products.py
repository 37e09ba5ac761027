"""Products by output pixel are TensorFlow's convolution and its gradients, to the precision of float64."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers import convolution, pixel_products


@pytest.mark.parametrize("kernel_size", [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (3, 1), (1, 5)])
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2), (3, 3), (3, 2), (4, 4), (5, 6)])
@pytest.mark.parametrize("batch_size", [1, 6])
def test_products_are_a_convolution_and_its_gradients(batch_size, size, kernel_size):
    random = np.random.default_rng(1)
    images = tf.constant(random.normal(size=(batch_size, *size, 4)))
    kernel = tf.constant(random.normal(size=(*kernel_size, 4, 7)))
    upstream = tf.constant(random.normal(size=(batch_size, *size, 7)))
    found = []
    for convolve in (convolution.convolved_by_pixel, lambda images, kernel: tf.nn.conv2d(images, kernel, 1, "SAME")):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            outputs = convolve(images, kernel)
        assert outputs.dtype == tf.float64
        found.append([outputs, *tape.gradient(outputs, [images, kernel], output_gradients=upstream)])
    for own, expected in zip(*found, strict=True):
        assert own.shape == expected.shape
        np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-12)


def test_products_meet_no_padding():
    """Of the 81 pairs of output pixel and position on maps of 3 x 3, 49 meet a pixel; of the 36 on 2 x 2, 16."""
    for size, num_met in ((3, 49), (2, 16), (1, 1)):
        for products, in_channels in ((pixel_products.convolved, 4), (pixel_products.images_gradient, 7)):
            graph = (
                tf.function(products)
                .get_concrete_function(tf.TensorSpec([2, size, size, in_channels]), tf.TensorSpec([3, 3, 4, 7]))
                .graph
            )
            multiplied = [operation for operation in graph.get_operations() if operation.type == "MatMul"]
            assert len(multiplied) == size**2
            assert sum(operation.inputs[0].shape[1] for operation in multiplied) == num_met * in_channels
