"""AUROC and the false positive rate by independent computation."""

import math

import numpy as np
import pytest

from benchmarks.robustness import detection

INSIDE, OUTSIDE = np.random.default_rng(0).normal((1.0, 0.0), 1.0, (500, 2)).T


def test_auroc_is_the_share_of_pairs_in_order():
    inside, outside = INSIDE.round(1), OUTSIDE[:300].round(1)  # with ties
    pairs = [(one > other) + 0.5 * (one == other) for one in inside for other in outside]
    assert detection.auroc(inside, outside) == pytest.approx(np.mean(pairs))
    assert detection.auroc(inside, inside - 100) == 1.0


def test_false_positives_are_counted_where_95_percent_are_kept():
    (threshold,) = {one for one in INSIDE if np.mean(one <= INSIDE) == 0.95}
    rate = detection.false_positive_rate(INSIDE, OUTSIDE)
    assert rate == np.mean(threshold <= OUTSIDE)
    assert 0.3 < rate < 1.0
    assert detection.false_positive_rate(INSIDE, INSIDE - 100) == 0.0


def test_scores_are_those_of_the_papers():
    logits = np.array([[1.0, 2.0, 3.0], [500.0, 0.0, 0.0]], np.float32)
    total = math.exp(1) + math.exp(2) + math.exp(3)
    assert detection.SCORES["max_softmax"](logits) == pytest.approx([math.exp(3) / total, 1.0])
    assert detection.SCORES["energy"](logits) == pytest.approx([math.log(total), 500.0])
