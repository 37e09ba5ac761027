"""Flips: exact mirrors, fair coins, and the flip that alternates from pass to pass."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from pipeline.augment.composition import draw_all
from pipeline.augment.geometric import AlternatingFlip, HorizontalFlip, VerticalFlip
from pipeline.augment.layer import Views
from pipeline.common import seeds

from .layers import draw, views


@pytest.mark.parametrize(
    ("layer", "mirror"),
    [
        (HorizontalFlip(), np.s_[:, :, ::-1]),
        (VerticalFlip(), np.s_[:, ::-1]),
        (AlternatingFlip(), np.s_[:, :, ::-1]),
    ],
)
def test_flips_mirror_exactly_the_drawn(run, images, layer, mirror):
    images = images + np.float32(0.1)
    drawn = np.array([True, False, False, True] * 4)
    expected = np.where(drawn[:, None, None, None], images[mirror], images)
    np.testing.assert_array_equal(run(layer.apply, images, drawn), expected)


@pytest.mark.parametrize("layer", [HorizontalFlip(), VerticalFlip()])
def test_coins_are_fair(layer):
    drawn = draw(layer, 4000)
    assert drawn.dtype == bool
    assert scipy.stats.binomtest(int(drawn.sum()), 4000).pvalue > 0.001


def coins(seed: int, step: int, of: Views) -> np.ndarray:
    (drawn,) = draw_all((AlternatingFlip(),), seed, tf.constant(step, tf.int64), of)
    return drawn.numpy()


def test_each_example_alternates_from_pass_to_pass():
    first = coins(0, 0, views(500))
    for pass_number in range(1, 7):
        now = coins(0, 31 * pass_number, views(500, pass_number))
        np.testing.assert_array_equal(now, first ^ (pass_number % 2 == 1))


def test_each_example_keeps_its_own_count_of_passes():
    passes = tf.constant([0, 1, 2, 3, 3, 2, 1, 0], tf.int64)
    of = Views(tf.fill([8], tf.constant(42, tf.int64)), passes)
    first = coins(0, 0, views(1, first=42))[0]
    np.testing.assert_array_equal(coins(0, 9, of), first ^ (passes.numpy() % 2 == 1))


@pytest.mark.parametrize("first", [0, 40_000, 600_000])
def test_the_first_pass_mirrors_about_half(first):
    drawn = coins(0, 0, views(40_000, first=first))
    assert scipy.stats.binomtest(int(drawn.sum()), 40_000).pvalue > 0.001
    for distance in (1, 2, 3, 256):
        assert abs(np.corrcoef(drawn[distance:], drawn[:-distance])[0, 1]) < 0.02


def test_the_coin_is_the_examples_wherever_it_stands():
    order = np.random.default_rng(0).permutation(1000)
    expected = coins(0, 0, views(1000))[order]
    of = Views(tf.constant(order, tf.int64), tf.zeros([1000], tf.int64))
    np.testing.assert_array_equal(coins(0, 5, of), expected)
    alone = [coins(0, 9, views(1, first=int(index)))[0] for index in order[:20]]
    np.testing.assert_array_equal(alone, expected[:20])


def test_another_seed_has_other_coins():
    ours, others = coins(0, 0, views(4000)), coins(1, 0, views(4000))
    assert abs(np.corrcoef(ours, others)[0, 1]) < 0.06


def test_draws_in_a_graph_are_the_same():
    layer, seed = AlternatingFlip(), tf.constant(seeds.derive(0, "flip"))
    np.testing.assert_array_equal(tf.function(layer.draw)(seed, views(100)), layer.draw(seed, views(100)))


def test_in_anybodys_model_the_coins_of_each_call_are_new():
    layer, pictures = AlternatingFlip(), np.zeros((2000, 1, 2, 1), np.float32)
    pictures[:, :, 1] = 1
    calls = np.stack([layer(pictures, training=True).numpy()[:, 0, 0, 0] for _ in range(20)])
    apart = np.corrcoef(calls) - np.eye(20)
    assert np.abs(apart).max() < 0.1
    assert 0.47 < calls.mean() < 0.53
