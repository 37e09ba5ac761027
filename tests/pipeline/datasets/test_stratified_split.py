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
    ("sizes", "number", "expected"),
    [
        ([500] * 4, 400, [100] * 4),
        ([50, 20, 5], 15, [10, 4, 1]),
        ([3, 3, 3, 3], 2, [1, 1, 0, 0]),
        ([9, 1, 0], 2, [2, 0, 0]),
        ([0, 0], 0, [0, 0]),
        ([7, 3], 10, [7, 3]),
    ],
)
def test_each_class_gives_the_same_share(sizes, number, expected):
    assert per_class(np.array(sizes), number, np.array(sizes)).tolist() == expected


def test_others_give_what_a_class_cannot():
    assert per_class(np.array([10, 10, 10]), 9, np.array([1, 10, 10])).tolist() == [1, 4, 4]


def test_the_numbers_are_exact_and_depend_on_neither_order_nor_on_other_classes():
    fine = np.repeat([0, 1, 2], [30, 20, 10])
    every = records(range(60), fine)
    selected = select(every, 12, b"salt")
    assert np.bincount(fine[selected]).tolist() == [6, 4, 2]
    order = np.random.default_rng(0).permutation(60)
    assert np.array_equal(select(every.take(order), 12, b"salt"), selected[order])
    assert np.array_equal(select(every.take(fine == 0), 6, b"salt"), selected[fine == 0])
    assert not np.array_equal(select(every, 12, b"other"), selected)


def test_equal_images_stay_together():
    seeds = [*range(40), *range(20)]  # the first 20 of class 0 are in class 1 too
    for salt in (b"a", b"b", b"c"):
        selected = select(records(seeds, [0] * 40 + [1] * 20), 15, salt)
        assert np.array_equal(selected[:20], selected[40:])
        assert np.count_nonzero(selected) == 15


def test_fewer_are_selected_where_equal_images_leave_no_other_choice():
    selected = select(records([1] * 10 + [2, 3], [0] * 10 + [1, 1]), 5, b"salt")
    assert selected.tolist() == [False] * 10 + [True] * 2
