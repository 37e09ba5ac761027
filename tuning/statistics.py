"""What repeated runs show: means with intervals, and differences from a reference, paired by seed.

The two runs of a pair share their seed (order, augmentation, held-out images), so that their difference varies less
than either does. Nothing here returns a number that JSON has no word for: what cannot be computed is None.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95  # of every interval; a difference is called real where its corrected p-value is below 1 - LEVEL
NO_SPREAD = 1e-9  # a standard deviation of accuracies below it is rounding: one image of 10,000 is 1e-4
HIGHER, LOWER, NOT_SHOWN, TOO_FEW = "higher", "lower", "no difference shown", "needs 2 repeats"


@dataclasses.dataclass(frozen=True)
class Summary:
    """Of a variant's values: how many, mean, standard deviation (n - 1), and the t interval of the mean."""

    num_values: int
    mean: float | None
    std: float | None
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A variant minus the reference, over the seeds that both have.

    Attributes:
      num_pairs: seeds that both have.
      difference: mean of the paired differences.
      low, high: the t interval of that mean, not corrected for the number of comparisons.
      p_value: of the two-sided paired t-test.
      p_corrected: that, after Holm's correction over a study's comparisons.
      verdict: HIGHER, LOWER, NOT_SHOWN or TOO_FEW, from `p_corrected`.
    """

    num_pairs: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_corrected: float | None = None
    verdict: str = TOO_FEW


def summarise(values: Sequence[float]) -> Summary:
    """Mean, standard deviation and interval; None for what so few values do not give."""
    if not values:
        return Summary(0, None, None, None, None)
    mean = float(np.mean(values))
    if len(values) < 2:
        return Summary(1, mean, None, None, None)
    std = float(np.std(values, ddof=1))
    margin = _margin(std, len(values))
    return Summary(len(values), mean, std, mean - margin, mean + margin)


def compare(values: Mapping[int, float], reference: Mapping[int, float]) -> Comparison:
    """Seed -> value of a variant, and of the reference -> their comparison, still without correction and verdict."""
    differences = [values[seed] - reference[seed] for seed in sorted(values.keys() & reference.keys())]
    summary = summarise(differences)
    p_value = _p_value(differences, summary) if summary.num_values > 1 else None
    return Comparison(summary.num_values, summary.mean, summary.low, summary.high, p_value)


def judge(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of a study with Holm's correction over all that could be tested, and a verdict each."""
    tested = [comparison.p_value for comparison in comparisons if comparison.p_value is not None]
    corrected = iter(holm(tested))
    return [
        comparison if comparison.p_value is None else _judged(comparison, next(corrected)) for comparison in comparisons
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979): the smallest times n, the next times n - 1, and never decreasing."""
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, float)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in corrected]


def _judged(comparison: Comparison, p_corrected: float) -> Comparison:
    verdict = NOT_SHOWN
    if p_corrected < 1 - LEVEL and comparison.difference:
        verdict = HIGHER if comparison.difference > 0 else LOWER
    return dataclasses.replace(comparison, p_corrected=p_corrected, verdict=verdict)


def _margin(std: float, num_values: int) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, num_values - 1)) * std / math.sqrt(num_values)


def _p_value(differences: Sequence[float], summary: Summary) -> float:
    assert summary.mean is not None
    assert summary.std is not None
    if summary.std > NO_SPREAD:
        return float(stats.ttest_1samp(differences, 0.0).pvalue)
    if abs(summary.mean) <= NO_SPREAD:
        return 1.0
    # t is infinite where all differences are equal, and would call two equal ones certain; that all have one sign has
    # this probability by chance.
    return 2.0 ** (1 - len(differences))
