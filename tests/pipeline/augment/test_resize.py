"""Resizing against TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.augment.resize import resize


@pytest.mark.parametrize("size", [8, 16, 20, 24, 27, 32])
@pytest.mark.parametrize("jit_compile", [None, True])
def test_equals_tensorflows_antialiased_bilinear(size, jit_compile):
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    expected = tf.image.resize(images, (size, size), antialias=True)
    found = tf.function(lambda pixels: resize(pixels, size), jit_compile=jit_compile)(images)
    np.testing.assert_allclose(found, expected, atol=1e-3)  # of 255


def test_full_size_is_untouched():
    images = tf.constant(np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)), tf.float32)
    assert resize(images, 32) is images


def test_one_colour_stays_that_colour():
    np.testing.assert_allclose(resize(tf.fill([1, 32, 32, 3], 77.0), 20), 77.0, rtol=1e-6)
