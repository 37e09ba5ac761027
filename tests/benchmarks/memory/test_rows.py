"""Rows of memory: what fits is measured, what does not is predicted, and what dies is 0."""

import pytest

from benchmarks.harness import subprocess_call
from benchmarks.memory import cases
from benchmarks.memory import rows as memory_rows

PLAN = memory_rows.Plan(
    views=(40_000, 60_000_000), limits_gib=(2.0,), max_steps=10, repeats=2, epochs=20, data={"dataset": "x"}
)


def test_study_that_would_not_fit_is_predicted_and_not_begun(monkeypatch):
    monkeypatch.setattr(subprocess_call, "call", lambda *_, **__: pytest.fail("started"))
    (row,) = memory_rows._study(PLAN, 60_000_000)
    assert row.predicted
    assert row.median == pytest.approx(60_000_000 * 12_288 / 2**20)


def test_study_under_a_limit_is_tried_until_it_dies(monkeypatch):
    def call_within(limit, function, views, **others):
        assert (limit, function) == (2.0, cases.study)
        return {"images": views} if views == 40_000 else None

    monkeypatch.setattr(subprocess_call, "call_within", call_within)
    rows = memory_rows._study_limited(PLAN, 2.0)
    assert [(row.name, row.median) for row in rows] == [
        ("peer/study/limit_2GiB/40000", 40_000),
        ("peer/study/limit_2GiB/60000000", 0),
    ]


def test_ours_is_measured_again_and_again(monkeypatch):
    said = iter([{"peak_mib": 900.0, "steady_mib": 800.0}, {"peak_mib": 910.0, "steady_mib": 790.0}])
    monkeypatch.setattr(subprocess_call, "call", lambda function, **arguments: next(said))
    peak, steady = memory_rows._ours(PLAN, 40_000)
    assert (peak.name, peak.median, peak.min, peak.max) == ("ours/peak/40000", 905.0, 900.0, 910.0)
    assert (steady.name, steady.min, steady.max) == ("ours/steady/40000", 790.0, 800.0)


def test_halves_that_differ_are_the_leaks_spread(monkeypatch):
    held = [1000.0] * 4 + [1000.0 + number for number in range(8)] + [1008.0] * 8
    monkeypatch.setattr(subprocess_call, "call", lambda function, **arguments: {"mib": held})
    (row,) = memory_rows._leak(PLAN)
    assert (row.min, row.max) == (pytest.approx(0.0), pytest.approx(1024.0))
    assert row.min < row.median < row.max


def test_step_in_the_middle_is_within_the_leaks_spread(monkeypatch):
    monkeypatch.setattr(subprocess_call, "call", lambda function, **arguments: {"mib": [1000.0] * 12 + [1010.0] * 8})
    (row,) = memory_rows._leak(PLAN)
    assert row.min == pytest.approx(0.0)
    assert row.median == row.max > 500.0


def test_leak_is_the_slope_behind_the_first_epochs(monkeypatch):
    held = [500.0, 900.0, 950.0, 990.0, *(1000.0 + number / 1024 * 8 for number in range(16))]
    monkeypatch.setattr(subprocess_call, "call", lambda function, **arguments: {"mib": held})
    (row,) = memory_rows._leak(PLAN)
    assert row.median == row.min == row.max == pytest.approx(8.0)
    assert row.unit == "KiB/epoch"
