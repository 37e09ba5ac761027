"""Statistics of repeated runs: means with intervals, and differences from a reference, paired by seed.

The two runs of a pair share their seed (order, augmentation, held-out images), so that their difference varies less
than either run does. A value that cannot be computed is None, never NaN, which JSON lacks.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95  # of every interval; a difference is called real where its corrected p-value is below 1 - LEVEL
NO_SPREAD = 1e-9  # a standard deviation of accuracies below it is rounding: one image of 10,000 is 1e-4
MIN_FOR_INTERVAL = 3  # two values' own t interval is 12.7 times as wide as they are apart
FEW_PAIRS = 5  # with fewer pairs, the spread is pooled over all rows
HIGHER, LOWER, NOT_SHOWN, TOO_FEW = "higher", "lower", "no difference shown", "needs 2 shared seeds"


@dataclasses.dataclass(frozen=True)
class Summary:
    """Number, mean, standard deviation (n - 1) and t interval of the mean of a variant's values."""

    num_values: int
    mean: float | None
    std: float | None
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class Residual:
    """The standard deviation of single values after the effects of row and seed, and its degrees of freedom."""

    std: float
    degrees: int


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A variant minus the reference, over the seeds that both have.

    Attributes:
      num_pairs: seeds that both have.
      difference: mean of the paired differences.
      low, high: the t interval of that mean, not corrected for the number of comparisons.
      p_value: of the two-sided paired t-test; of a pooled one where there are fewer pairs than FEW_PAIRS.
      is_pooled: whether the spread is that of all rows.
      p_corrected: that, after Holm's correction over a study's comparisons.
      verdict: HIGHER, LOWER, NOT_SHOWN or TOO_FEW, from `p_corrected`.
    """

    num_pairs: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    is_pooled: bool = False
    p_corrected: float | None = None
    verdict: str = TOO_FEW


def summarise(values: Sequence[float]) -> Summary:
    """Mean, standard deviation and interval; None for those that need more values."""
    if not values:
        return Summary(0, None, None, None, None)
    mean = float(np.mean(values))
    if len(values) < 2:
        return Summary(1, mean, None, None, None)
    std = float(np.std(values, ddof=1))
    if len(values) < MIN_FOR_INTERVAL:
        return Summary(len(values), mean, std, None, None)
    margin = _margin(std, len(values))
    return Summary(len(values), mean, std, mean - margin, mean + margin)


def residual(rows: Sequence[Mapping[int, float]]) -> Residual | None:
    """The residual of a study's values after the effects of row and seed.

    That is the randomized block design, seeds being the blocks (Montgomery, Design and Analysis of Experiments, 4.1),
    by least squares, so that a row may lack a seed. It assumes that all rows have the same spread; with two seeds that
    is far better known than the spread of one difference.

    Args:
      rows: seed -> value of each.

    Returns:
      None where no degree of freedom, or no spread, is left.
    """
    seeds = sorted(set().union(*rows))
    cells = [(place, seeds.index(seed), value) for place, row in enumerate(rows) for seed, value in row.items()]
    if not cells:
        return None
    design = np.zeros((len(cells), len(rows) + len(seeds)))
    for number, (row, seed, _) in enumerate(cells):
        design[number, [row, len(rows) + seed]] = 1.0
    values = np.array([value for *_, value in cells])
    levels, _, rank, _ = np.linalg.lstsq(design, values)
    degrees = len(cells) - int(rank)
    if degrees < 1:
        return None
    std = math.sqrt(float(np.sum((values - design @ levels) ** 2)) / degrees)
    return Residual(std, degrees) if std > NO_SPREAD else None


def compare(values: Mapping[int, float], reference: Mapping[int, float], pooled: Residual | None = None) -> Comparison:
    """The comparison of a variant with the reference, without correction and verdict.

    Args:
      values: seed -> value of the variant.
      reference: seed -> value of the reference.
      pooled: of all rows, for comparisons of few pairs.
    """
    differences = [values[seed] - reference[seed] for seed in sorted(values.keys() & reference.keys())]
    summary = summarise(differences)
    if summary.mean is None or summary.num_values < 2:
        return Comparison(summary.num_values, summary.mean, None, None, None)
    if summary.num_values < FEW_PAIRS and pooled is not None:
        error = pooled.std * math.sqrt(2 / summary.num_values)
        low, high = (float(end) for end in stats.t.interval(LEVEL, pooled.degrees, summary.mean, error))
        p_value = 2 * float(stats.t.sf(abs(summary.mean) / error, pooled.degrees))
        return Comparison(summary.num_values, summary.mean, low, high, p_value, is_pooled=True)
    return Comparison(summary.num_values, summary.mean, summary.low, summary.high, _p_value(differences, summary))


def judge(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of a study with Holm's correction over those that could be tested, and a verdict each."""
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
