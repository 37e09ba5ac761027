"""Named seeds."""

import hypothesis
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import strategies

from pipeline.common import seeds


def test_golden_value_never_changes():
    assert seeds.derive(0, "shift") == (-1261722456, -603609433)


@hypothesis.given(strategies.integers(0, 2**63), strategies.text(), strategies.text())
def test_paths_and_seeds_give_different_draws(seed, first, second):
    assert seeds.derive(seed, first) != seeds.derive(seed + 1, first)
    assert (seeds.derive(seed, first) == seeds.derive(seed, second)) == (first == second)


@hypothesis.given(strategies.integers(), strategies.text())
def test_values_are_int32(seed, name):
    assert all(-(2**31) <= value < 2**31 for value in seeds.derive(seed, name))


def hashes(seed, numbers) -> np.ndarray:
    return seeds.hashed(tf.constant(seed), tf.constant(numbers, tf.int64)).numpy()


def test_golden_hashes_never_change():
    assert hashes((1, 2), [0, 1, 49_999, 2**40]).tolist() == [389998088, 410673539, 1877536773, 389998088]


def test_a_hash_is_the_numbers_wherever_it_stands():
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(hashes((1, 2), order), hashes((1, 2), np.arange(1000))[order])
    np.testing.assert_array_equal(
        tf.function(seeds.hashed)(tf.constant([1, 2]), tf.constant(order, tf.int64)), hashes((1, 2), order)
    )


@pytest.mark.parametrize("seed", [(0, 0), (0, 1), (-1, -1), (2**31 - 1, -(2**31))])
def test_hashes_are_well_mixed(seed):
    """Uniform, hardly ever the same, and every bit fair and independent of the others, of neighbours and of seeds."""
    count = 20_000
    values = hashes(seed, np.arange(count))
    assert values.min() >= 0
    assert values.max() < 2**31
    assert scipy.stats.kstest(values / 2**31, "uniform").pvalue > 0.001
    assert len(np.unique(values)) > count - 10

    def bits(of):
        return of[:, None] >> np.arange(31) & 1

    ours = bits(values)
    bound = 5 / np.sqrt(count)
    assert np.abs(ours.mean(0) - 0.5).max() < bound / 2
    assert np.abs(np.corrcoef(ours.T) - np.eye(31)).max() < bound
    first, second = seed
    others = [ours[1:], *(bits(hashes(near, np.arange(count))) for near in ((first ^ 1, second), (first, second ^ 1)))]
    for other in others:
        together = np.corrcoef(ours[: len(other)].T, other.T)[:31, 31:]
        assert np.abs(together).max() < bound


def test_folded_seeds_are_apart():
    in_graph = tf.function(lambda seed, number: seeds.fold(seed, number))
    numbers = [*range(100), 2**31 - 1, 2**31, 2**32 - 1]
    folded = [
        tuple(in_graph(tf.constant(seed), tf.constant(number, tf.int64)).numpy())
        for seed in ((1, 2), (1, 3), (2, 2))
        for number in numbers
    ]
    assert len(set(folded)) == len(folded)
    assert folded[0] == tuple(seeds.fold((1, 2), 0).numpy())
    assert folded[102] == tuple(seeds.fold((1, 2), -1).numpy())
