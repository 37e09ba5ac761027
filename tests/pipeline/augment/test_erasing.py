"""Random erasing: the box's size, shape and place, and the painting against NumPy."""

import math

import numpy as np
import pytest
import scipy.stats

from pipeline.augment.erasing import RandomErasing

from .layers import draw


def test_the_box_is_painted_and_nothing_else(run, images):
    drawn = draw(RandomErasing(0.7), 16)
    expected = images.copy()
    for image, values in zip(expected, drawn, strict=True):
        height, width = (round(float(value) * 32) for value in values[:2])
        top, left = int(values[2] * np.float32(33 - height)), int(values[3] * np.float32(33 - width))
        image[top : top + height, left : left + width] = 3.5
    out = run(RandomErasing(fill_value=3.5).apply, images, drawn)
    np.testing.assert_array_equal(out, expected)
    assert 0 < (expected != images).any((1, 2, 3)).sum() < 16


def test_area_and_aspect_keep_to_the_papers_range():
    heights, widths = draw(RandomErasing(1.0), 20_000)[:, :2].T.astype(np.float64)
    uncut = (heights < 1) & (widths < 1)
    area, aspect = (heights * widths)[uncut], (heights / widths)[uncut]
    assert uncut.mean() > 0.98
    assert max(heights.max(), widths.max()) <= 1
    assert 0.02 - 1e-6 <= area.min() < 0.022
    assert 0.33 < area.max() <= 1 / 3 + 1e-6
    assert 0.3 - 1e-6 <= aspect.min() < 0.31
    assert 3.2 < aspect.max() <= 1 / 0.3 + 1e-5
    small = area < 0.25  # none of these is cut
    assert scipy.stats.kstest(area[small], "uniform", (0.02, 0.23)).pvalue > 0.001
    limit = math.log(1 / 0.3)
    assert scipy.stats.kstest(np.log(aspect[small]), "uniform", (-limit, 2 * limit)).pvalue > 0.001


def test_the_box_lies_inside_as_one_rectangle():
    drawn = draw(RandomErasing(1.0), 2000)
    painted = RandomErasing(fill_value=1.0).apply(np.zeros((2000, 32, 32, 1), np.float32), drawn).numpy()[..., 0]
    rows, columns = painted.any(2).sum(1), painted.any(1).sum(1)
    np.testing.assert_array_equal(painted.sum((1, 2)), rows * columns)
    np.testing.assert_array_equal(np.stack([rows, columns], 1), np.round(drawn[:, :2] * 32))
    everywhere = painted.mean(0)
    assert everywhere[0].min() > 0
    assert everywhere[:, 0].min() > 0
    assert everywhere[-1].min() > 0
    assert everywhere[:, -1].min() > 0


def test_every_place_that_the_box_has_room_for_is_as_likely():
    size, place = np.full((8000, 2), 24 / 32), draw(RandomErasing(1.0), 8000)[:, 2:]
    drawn = np.concatenate([size, place], axis=1).astype(np.float32)
    painted = RandomErasing(fill_value=1.0).apply(np.zeros((8000, 32, 32, 1), np.float32), drawn).numpy()[..., 0]
    for axis in (1, 2):
        tops = painted.any(3 - axis).argmax(axis=1)
        counts = np.bincount(tops, minlength=9)
        assert len(counts) == 9
        assert scipy.stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 1.0])
def test_the_probability_is_honoured(probability):
    drawn = draw(RandomErasing(probability), 4000)
    erased = drawn[:, 0] > 0
    np.testing.assert_array_equal(erased, drawn[:, 1] > 0)
    assert scipy.stats.binomtest(int(erased.sum()), 4000, probability).pvalue > 0.001


def test_one_that_is_not_erased_stays_as_it_is(images):
    drawn = np.concatenate([np.zeros((16, 2)), np.random.default_rng(0).random((16, 2))], 1).astype(np.float32)
    np.testing.assert_array_equal(RandomErasing().apply(images, drawn), images)
