"""Means, intervals and verdicts, against values computed by hand and by tables; and what degenerate samples give."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning import statistics


def test_summary_is_the_textbooks():
    summary = statistics.summarise([0.61, 0.63, 0.65])
    assert summary.mean == pytest.approx(0.63)
    assert summary.std == pytest.approx(0.02)
    margin = 4.302653 * 0.02 / 3**0.5  # t(0.975, 2)
    assert (summary.low, summary.high) == (pytest.approx(0.63 - margin), pytest.approx(0.63 + margin))


def test_two_values_have_no_interval():
    summary = statistics.summarise([0.61, 0.63])
    assert (summary.mean, summary.std) == (pytest.approx(0.62), pytest.approx(0.01 * 2**0.5))
    assert (summary.low, summary.high) == (None, None)


def test_one_value_has_a_mean_and_nothing_else():
    assert statistics.summarise([0.5]) == statistics.Summary(1, 0.5, None, None, None)
    assert statistics.summarise([]) == statistics.Summary(0, None, None, None, None)


def test_comparison_pairs_by_seed_and_leaves_out_what_one_side_lacks():
    compared = statistics.compare({0: 0.60, 1: 0.72, 2: 0.66, 9: 0.1}, {2: 0.63, 1: 0.70, 0: 0.59, 5: 0.9})
    assert compared.num_pairs == 3
    assert compared.difference == pytest.approx(0.02)  # of 0.01, 0.02, 0.03
    assert compared.p_value == pytest.approx(0.0742, abs=1e-4)  # t = 2 sqrt(3) with 2 degrees of freedom
    assert compared.low < 0 < compared.high


def test_pairing_sees_what_the_spread_between_seeds_hides():
    reference = {seed: 0.5 + 0.05 * seed for seed in range(5)}
    shifted = {seed: value + 0.01 + 0.0005 * seed for seed, value in reference.items()}
    (judged,) = statistics.judge([statistics.compare(shifted, reference)])
    assert judged.verdict == statistics.HIGHER


def test_residual_is_what_rows_and_seeds_leave():
    rows = [{0: 0.50, 1: 0.53}, {0: 0.60, 1: 0.61}, {0: 0.40, 1: 0.42}]
    # Differences between the seeds: 0.03, 0.01, 0.02; each value is half the distance from their mean off.
    left = statistics.residual(rows)
    assert left.degrees == 2
    assert left.std == pytest.approx((4 * 0.005**2 / 2) ** 0.5)
    one_degree = statistics.residual([{0: 0.5, 1: 0.6}, {0: 0.6, 1: 0.8}])  # each value is 0.025 off
    assert (one_degree.std, one_degree.degrees) == (pytest.approx(0.05), 1)
    lacking = statistics.residual([*rows, {0: 0.9}])  # its one value is its level
    assert (lacking.std, lacking.degrees) == (pytest.approx(left.std), 2)
    more = statistics.residual([{**rows[0], 2: 0.7}, *rows[1:]])  # its one value is that seed's level
    assert (more.std, more.degrees) == (pytest.approx(left.std), 2)
    assert statistics.residual([{0: 0.5}, {0: 0.6}]) is None
    assert statistics.residual([{0: 0.5, 1: 0.6}]) is None
    assert statistics.residual([]) is None
    assert statistics.residual([{0: 0.5, 1: 0.6}, {0: 0.6, 1: 0.7}]) is None  # nothing is left


def test_residual_is_the_two_way_analysis_of_variances():
    values = np.random.default_rng(0).normal(0.5, 0.02, [6, 3])
    left = statistics.residual([dict(enumerate(row)) for row in values])
    total = ((values - values.mean()) ** 2).sum()
    of_rows = 3 * ((values.mean(axis=1) - values.mean()) ** 2).sum()
    of_seeds = 6 * ((values.mean(axis=0) - values.mean()) ** 2).sum()
    assert left.std**2 * left.degrees == pytest.approx(total - of_rows - of_seeds)


def test_few_pairs_are_judged_by_the_spread_of_all():
    pooled = statistics.Residual(0.01, 34)
    compared = statistics.compare({0: 0.60, 1: 0.64}, {0: 0.58, 1: 0.60}, pooled)
    assert compared.difference == pytest.approx(0.03)  # over a standard error of 0.01: t = 3 with 34 degrees of freedom
    assert compared.p_value == pytest.approx(0.00504, abs=2e-5)
    assert (compared.low, compared.high) == (pytest.approx(0.03 - 0.02032, abs=1e-5), pytest.approx(0.05032, abs=1e-5))
    assert compared.is_pooled
    own = statistics.compare({0: 0.60, 1: 0.64}, {0: 0.58, 1: 0.60})
    assert own.p_value == pytest.approx(0.2048, abs=1e-4)
    assert not own.is_pooled
    five = {seed: 0.5 + 0.01 * seed**2 for seed in range(5)}
    assert not statistics.compare(five, dict.fromkeys(range(5), 0.5), pooled).is_pooled


def test_holm_is_the_step_down_correction():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9, 0.6]) == [1.0, 1.0]
    assert statistics.holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_correction_never_favours_and_keeps_the_order(p_values):
    corrected = statistics.holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, corrected, strict=True))
    by_p = [value for _, value in sorted(zip(p_values, corrected, strict=True))]
    assert by_p == sorted(by_p)


def test_correction_takes_a_verdict_back():
    alone = statistics.Comparison(3, 0.01, 0.0, 0.02, 0.03)
    assert [one.verdict for one in statistics.judge([alone])] == [statistics.HIGHER]
    both = statistics.judge([alone, dataclasses.replace(alone, difference=-0.01, p_value=0.001)])
    assert [one.verdict for one in both] == [statistics.HIGHER, statistics.LOWER]
    many = statistics.judge([alone, dataclasses.replace(alone, p_value=0.2), dataclasses.replace(alone, p_value=0.5)])
    assert [one.verdict for one in many] == [statistics.NOT_SHOWN] * 3
    assert many[0].p_corrected == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("values", "p_value", "verdict"),
    [
        ({0: 0.5, 1: 0.6}, 1.0, statistics.NOT_SHOWN),  # the reference's own values
        ({0: 0.6, 1: 0.7}, 0.5, statistics.NOT_SHOWN),  # two equal differences are no certainty
        ({0: 0.6}, None, statistics.TOO_FEW),
        ({}, None, statistics.TOO_FEW),
    ],
)
def test_samples_without_spread_or_size_get_a_verdict_and_no_nan(values, p_value, verdict):
    (judged,) = statistics.judge([statistics.compare(values, {0: 0.5, 1: 0.6})])
    assert judged.p_value == p_value
    assert judged.verdict == verdict
    json.dumps(dataclasses.asdict(judged), allow_nan=False)


def test_enough_equal_differences_are_one():
    reference = dict(enumerate([0.5, 0.6, 0.7, 0.55, 0.65, 0.75, 0.58]))
    (judged,) = statistics.judge(
        [statistics.compare({seed: value - 0.1 for seed, value in reference.items()}, reference)]
    )
    assert judged.p_value == pytest.approx(2**-6)
    assert judged.verdict == statistics.LOWER


def test_spread_of_rounding_is_none(monkeypatch):
    """Two values that differ by rounding are equal; any larger spread is one."""
    assert np.std([0.0, 2e-9], ddof=1) > statistics.NO_SPREAD
    assert statistics.compare({0: 0.5, 1: 0.5 + 2e-9}, {0: 0.0, 1: 0.0}).p_value < 0.5
    monkeypatch.setattr(statistics, "NO_SPREAD", 1.0)
    assert statistics.compare({0: 0.0, 1: 1.0, 2: 2.0}, dict.fromkeys(range(3), 0.0)).p_value == 1.0  # its std is 1


def test_results_are_frozen():
    classes = [one for one in vars(statistics).values() if dataclasses.is_dataclass(one)]
    assert len(classes) == 3
    assert all(one.__dataclass_params__.frozen for one in classes)


def test_verdicts_are_those_of_reports():
    verdicts = (statistics.HIGHER, statistics.LOWER, statistics.NOT_SHOWN, statistics.TOO_FEW)
    assert verdicts == ("higher", "lower", "no difference shown", "needs 2 shared seeds")
