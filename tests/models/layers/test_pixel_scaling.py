"""Pixels are scaled by either method, to the statistics of the training images."""

import numpy as np
import pytest

from models.layers import pixel_scaling
from models.layers.pixel_scaling import PixelScaling


def test_pixel_scaling_by_both_methods():
    pixels = np.array([[[[0, 128, 255]]]], np.uint8)
    np.testing.assert_allclose(PixelScaling("unit")(pixels), [[[[0, 128 / 255, 1]]]], rtol=1e-6)
    expected = [[[[-129.304 / 68.170, (128 - 124.070) / 65.392, (255 - 112.434) / 70.418]]]]
    np.testing.assert_allclose(PixelScaling("standardise")(pixels), expected, rtol=1e-5)


@pytest.mark.real_data
def test_pixel_statistics_are_those_of_the_training_images(real_data_dir):
    from pipeline import source, stages
    from pipeline.data_config import SourceConfig

    builder = source.open_builder(SourceConfig(data_dir=real_data_dir))
    images = stages.in_memory(stages.Decode(32)(source.read(builder, "train")), 50_000)["image"].numpy()
    np.testing.assert_allclose(images.mean((0, 1, 2)), pixel_scaling.CHANNEL_MEAN, atol=0.01)
    np.testing.assert_allclose(images.std((0, 1, 2)), pixel_scaling.CHANNEL_STD, atol=0.01)
