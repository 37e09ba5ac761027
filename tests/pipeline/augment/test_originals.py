"""Originals among the views: each example's own, exactly as often as configured."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.augment import originals
from pipeline.augment.geometric import AlternatingFlip
from pipeline.augment.layer import Views
from pipeline.common import errors
from pipeline.data_config import DataConfig


def share(fraction: float):
    return DataConfig(unaugmented_fraction=fraction).unaugmented_share


def views_of_pass(index: tf.Tensor, number: int) -> Views:
    return Views(index, tf.fill(tf.shape(index), tf.constant(number, tf.int64)))


def shown(fraction: float, num_passes: int, seed: int = 0, num_examples: int = 500) -> np.ndarray:
    """Bool [passes, examples]."""
    index = tf.range(num_examples, dtype=tf.int64)
    return np.stack(
        [originals.are_original(views_of_pass(index, number), share(fraction), seed) for number in range(num_passes)]
    )


@pytest.mark.parametrize(("fraction", "passes", "times"), [(0.0666667, 15, 1), (0.4, 5, 2), (1.0, 3, 3), (0.5, 10, 5)])
def test_every_example_is_shown_as_it_is_exactly_as_often_as_configured(fraction, passes, times):
    views = shown(fraction, 3 * passes)
    for epoch in range(3):
        assert (views[epoch * passes : (epoch + 1) * passes].sum(axis=0) == times).all()


def test_each_pass_holds_about_its_share_and_the_seed_decides_which():
    views = shown(0.25, 4)
    assert ((views.mean(axis=1) > 0.18) & (views.mean(axis=1) < 0.32)).all()
    assert (views != shown(0.25, 4, seed=1)).any()


def test_they_are_spread_over_the_passes():
    gaps = np.diff(np.flatnonzero(shown(0.3, 40, num_examples=1)[:, 0]))
    assert set(gaps.tolist()) <= {3, 4}


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 0.5, 0.6, 0.0666667])
def test_augmented_views_are_counted_without_the_originals(fraction):
    index, so_far = tf.range(200, dtype=tf.int64), np.zeros(200, int)
    for number in range(40):
        views = views_of_pass(index, number)
        counted = originals.among_augmented(views, share(fraction), seed=3)
        np.testing.assert_array_equal(counted.pass_number, so_far)
        np.testing.assert_array_equal(counted.index, index)
        so_far += ~originals.are_original(views, share(fraction), seed=3).numpy()


def test_an_example_is_augmented_both_ways_in_turn_though_half_of_its_views_are_originals():
    index, mirrored = tf.range(100, dtype=tf.int64), [[] for _ in range(100)]
    for number in range(8):
        views = views_of_pass(index, number)
        original = originals.are_original(views, share(0.5), seed=0).numpy()
        drawn = AlternatingFlip().draw((1, 2), originals.among_augmented(views, share(0.5), seed=0)).numpy()
        for place in np.flatnonzero(~original):
            mirrored[place].append(bool(drawn[place]))
    assert all(turns in ([True, False] * 2, [False, True] * 2) for turns in mirrored)


def test_the_fraction_that_was_meant_is_found():
    assert str(share(0.0666667)) == "1/15"
    assert str(share(0.1)) == "1/10"
    with pytest.raises(errors.BadArgumentError, match=r"unaugmented_fraction=1e-05: expected 0 or at least 0\.0001"):
        DataConfig(unaugmented_fraction=1e-5)
