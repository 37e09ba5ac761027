"""The Pareto front: what dominates what, in which direction, and what is no point at all."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.sessions.trade_offs.front import front

NAMES = ("fine", "petaflop")


def trials(*points, names=NAMES):
    return [
        {"id": str(number), "objectives": dict(zip(names, point, strict=True))} for number, point in enumerate(points)
    ]


def ids(records, names=NAMES):
    return [record["id"] for record in front(records, names)]


def test_accuracies_are_maximized_and_costs_minimized():
    assert ids(trials((0.5, 2.0), (0.4, 3.0), (0.3, 1.0), (0.2, 1.5))) == ["0", "2"]
    swapped = ("petaflop", "fine")
    assert ids(trials((2.0, 0.5), (1.0, 0.3), (1.5, 0.2), names=swapped), swapped) == ["1", "0"]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        ([(0.5, 1.0)], ["0"]),
        ([(0.5, 1.0), (0.5, 1.0), (0.4, 1.0)], ["0", "1"]),  # duplicates
        ([(0.5, 2.0), (0.5, 1.0)], ["1"]),  # as good, cheaper
        ([(0.4, 1.0), (0.5, 1.0)], ["1"]),  # as cheap, better
        ([(float("nan"), 1.0), (0.5, 2.0)], ["1"]),
        ([(0.9, float("nan")), (0.5, 2.0)], ["1"]),
        ([(0.9, float("-inf")), (0.5, 2.0)], ["1"]),
    ],
)
def test_ties_duplicates_and_what_is_no_number(points, expected):
    assert ids(trials(*points)) == expected


def test_trials_without_objectives_are_not_on_it():
    failed = {"id": "7", "status": "FAILED", "reason": "fine_loss is nan"}
    assert ids([failed, *trials((0.5, 1.0))]) == ["0"]
    assert ids([failed]) == []


def test_third_objective_keeps_what_two_would_leave_out():
    names = ("fine", "parameters", "step_ms")
    points = [(0.5, 100, 9.0), (0.4, 100, 5.0), (0.4, 120, 5.0)]
    assert ids(trials(*points, names=names), names) == ["0", "1"]
    assert ids(trials(*points, names=names), names[:2]) == ["0"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12), st.randoms())
def test_front_is_what_nothing_dominates_in_any_order(points, random):
    records = trials(*points)
    shuffled = random.sample(records, len(records))
    expected = {
        record["id"]
        for record, (fine, petaflop) in zip(records, points, strict=True)
        if not any(a >= fine and b <= petaflop and (a, b) != (fine, petaflop) for a, b in points)
    }
    assert ids(shuffled) == ids(records)
    assert set(ids(records)) == expected
    values = [(-one["objectives"]["fine"], one["objectives"]["petaflop"]) for one in front(records, NAMES)]
    assert all(a <= b for a, b in itertools.pairwise(values))  # best first
