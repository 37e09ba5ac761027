"""Cutout against NumPy, squares cut off by the border included."""

import numpy as np
import pytest
import scipy.stats

from pipeline.augment.erasing import Cutout

from .layers import draw


@pytest.mark.parametrize("pixels", [1, 7, 8, 16, 64])
def test_the_square_is_hidden_and_nothing_else(run, images, pixels):
    centres = [(row, column) for row in (0, 3, 16, 31) for column in (0, 17, 28, 31)]
    expected = images.copy()
    for image, (row, column) in zip(expected, centres, strict=True):
        top, left = row - pixels // 2, column - pixels // 2
        image[max(top, 0) : top + pixels, max(left, 0) : left + pixels] = 3.5
    drawn = ((np.array(centres) + 0.5) / 32).astype(np.float32)
    np.testing.assert_array_equal(run(Cutout(pixels, fill_value=3.5).apply, images, drawn), expected)


def test_centres_are_anywhere_as_likely(images):
    drawn = draw(Cutout(1, fill_value=1.0), 32 * 32 * 20)
    out = Cutout(1, fill_value=1.0).apply(np.zeros((len(drawn), 32, 32, 1), np.float32), drawn).numpy()
    assert (out.sum((1, 2, 3)) == 1).all()
    assert scipy.stats.chisquare(out.sum((0, 3)).ravel()).pvalue > 0.001


def test_the_default_is_the_papers_for_cifar100(images):
    hidden = (Cutout().apply(images, np.full((16, 2), 0.5, np.float32)).numpy() == 127.5).all(-1)
    assert (hidden.sum((1, 2)) == 64).all()
