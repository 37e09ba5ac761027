"""Paired comparisons: counts, the exact test, and the interval."""

import itertools
import math

import numpy as np
import pytest

from models.reporting import comparison


def test_counts_pair_the_examples():
    first, second = (np.array(values, bool) for values in ([1, 1, 1, 0, 0, 0, 1], [1, 0, 0, 1, 0, 0, 1]))
    found = comparison.paired(first, second)
    assert found == comparison.Paired(2, 2, 1, 2)
    assert found.num_examples == 7
    assert found.difference == pytest.approx(second.mean() - first.mean())


def test_the_p_value_is_the_share_of_coin_throws_at_least_as_uneven():
    only_first, only_second = 2, 7
    throws = [sum(throw) for throw in itertools.product((0, 1), repeat=9)]
    share = np.mean([abs(heads - 4.5) >= abs(only_second - 4.5) for heads in throws])
    assert comparison.Paired(30, only_first, only_second, 5).p_value == pytest.approx(share)


def test_without_a_difference_the_p_value_is_one():
    assert comparison.Paired(3, 0, 0, 4).p_value == 1.0
    assert comparison.Paired(3, 5, 5, 4).p_value == 1.0


def test_the_interval_is_that_of_agresti_and_min():
    """The approval ratings of 1,600 people, before and after (Agresti, "Categorical Data Analysis", table 10.1)."""
    found = comparison.Paired(794, 86, 150, 570)
    n, b, c = 1600 + 2, 86.5, 150.5
    middle = (c - b) / n
    error = math.sqrt((b + c) - (c - b) ** 2 / n) / n
    assert found.interval == pytest.approx((middle - 1.959964 * error, middle + 1.959964 * error))
    assert found.interval[0] < found.difference < found.interval[1]


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = rng.multinomial(200, (0.55, 0.12, 0.18, 0.15), size=2000)
    intervals = [comparison.Paired(*map(int, draw)).interval for draw in draws]
    assert np.mean([low <= 0.06 <= high for low, high in intervals]) == pytest.approx(0.95, abs=0.015)


def test_the_interval_of_equal_answers_has_a_width():
    low, high = comparison.Paired(10, 0, 0, 0).interval
    assert -1 <= low < 0 < high <= 1
