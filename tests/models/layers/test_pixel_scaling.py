"""Pixels are scaled by either method; tests/pipeline/explore compares the statistics with the real images."""

import numpy as np

from models.layers.pixel_scaling import PixelScaling


def test_pixel_scaling_by_both_methods():
    pixels = np.array([[[[0, 128, 255]]]], np.uint8)
    np.testing.assert_allclose(PixelScaling("unit")(pixels), [[[[0, 128 / 255, 1]]]], rtol=1e-6)
    expected = [[[[-129.304 / 68.170, (128 - 124.070) / 65.392, (255 - 112.434) / 70.418]]]]
    np.testing.assert_allclose(PixelScaling("standardise")(pixels), expected, rtol=1e-5)
