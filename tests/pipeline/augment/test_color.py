"""Channel shift against NumPy."""

import numpy as np
import scipy.stats

from pipeline.augment.color import ChannelShift

from .layers import draw


def test_one_value_is_added_and_clipped_to_the_images_own_range(run, images):
    images = 20 + images * np.linspace(0.2, 0.9, 16, dtype=np.float32)[:, None, None, None]
    drawn = np.linspace(-1, 1, 16, dtype=np.float32)
    expected = np.stack([np.clip(x + 255 * d, x.min(), x.max()) for x, d in zip(images, drawn, strict=True)])
    np.testing.assert_allclose(run(ChannelShift().apply, images, drawn), expected, atol=1e-4)


def test_nothing_added_changes_nothing(run, images):
    np.testing.assert_array_equal(run(ChannelShift().apply, images, np.zeros(16, np.float32)), images)


def test_draws_are_uniform():
    drawn = draw(ChannelShift(0.2), 4000)
    assert scipy.stats.kstest(drawn, "uniform", (-0.2, 0.4)).pvalue > 0.001
