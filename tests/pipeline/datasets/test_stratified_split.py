"""A share of each class is selected by content; equal images stay together."""

import numpy as np
import pytest

from pipeline.datasets.canonical import Digests
from pipeline.datasets.stratified_split import per_class, select


def records(seeds, fine):
    """Records whose digests follow from the seeds."""
    pixels = np.stack([np.random.default_rng(seed).integers(0, 256, 32, np.uint8) for seed in seeds])
    return Digests(pixels, np.array(fine, np.int32), np.zeros(len(fine), np.int32))


@pytest.mark.parametrize(
    ("counts", "number", "expected"),
    [
        ([500] * 4, 400, [100] * 4),
        ([50, 20, 5], 15, [10, 4, 1]),
        ([3, 3, 3, 3], 2, [1, 1, 0, 0]),
        ([9, 1, 0], 2, [2, 0, 0]),
        ([0, 0], 0, [0, 0]),
        ([7, 3], 10, [7, 3]),
    ],
)
def test_each_class_gives_the_same_share(counts, number, expected):
    assert per_class(np.array(counts), number).tolist() == expected


def test_the_numbers_of_each_class_are_exact_and_depend_on_neither_order_nor_other_classes():
    fine = np.repeat([0, 1, 2], [30, 20, 10])
    every = records(range(60), fine)
    numbers = np.array([7, 0, 10])
    selected = select(every, numbers, b"salt")
    assert np.bincount(fine[selected], minlength=3).tolist() == [7, 0, 10]
    order = np.random.default_rng(0).permutation(60)
    assert np.array_equal(select(every.take(order), numbers, b"salt"), selected[order])
    assert np.array_equal(select(every.take(fine == 0), numbers[:1], b"salt"), selected[fine == 0])
    assert not np.array_equal(select(every, numbers, b"other"), selected)


def test_equal_images_stay_together():
    seeds = [*range(40), *range(20)]  # the first 20 of class 0 are in class 1 too
    fine = np.array([0] * 40 + [1] * 20)
    for salt in (b"a", b"b", b"c"):
        selected = select(records(seeds, fine), np.array([15, 5]), salt)
        assert np.array_equal(selected[:20], selected[40:])
        assert np.count_nonzero(selected[:40]) == 15


def test_a_class_that_has_too_few_gives_what_it_has():
    seeds = [1] * 10 + [2, 3]
    selected = select(records(seeds, [0] * 10 + [1, 1]), np.array([2, 5]), b"salt")
    assert selected.tolist() == [False] * 10 + [True] * 2
