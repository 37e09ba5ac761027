"""Originals among the views: each example's own, exactly as often as configured."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.augment import originals
from pipeline.augment.layer import Views


def shown(fraction: float, num_passes: int, seed: int = 0, num_examples: int = 500) -> np.ndarray:
    """Bool [passes, examples]."""
    index = tf.range(num_examples, dtype=tf.int64)
    return np.stack(
        [
            originals.are_original(Views(index, tf.fill([num_examples], tf.constant(number, tf.int64))), fraction, seed)
            for number in range(num_passes)
        ]
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


def test_the_fraction_that_was_meant_is_found():
    assert str(originals.exact(0.0666667)) == "1/15"
    assert str(originals.exact(0.1)) == "1/10"
