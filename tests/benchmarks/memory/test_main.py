"""What fits is measured in a process of its own, what does not is predicted, and what dies says so."""

import signal
import subprocess

import pytest

from benchmarks.harness import subprocess_call
from benchmarks.memory import cases
from benchmarks.memory import rows as memory_rows
from pipeline.common import errors

PLAN = memory_rows.Plan(
    views=(40_000, 60_000_000), limits_gib=(2.0,), max_steps=10, repeats=2, epochs=20, data={"dataset": "x"}
)


def test_study_that_would_not_fit_is_predicted_and_not_begun(monkeypatch):
    monkeypatch.setattr(subprocess_call, "call", lambda *given: pytest.fail("begun"))
    (row,) = memory_rows._study(PLAN, 60_000_000)
    assert row.predicted
    assert row.median == pytest.approx(60_000_000 * 12_288 / 2**20)


@pytest.mark.parametrize("words", ["MemoryError: no", "Status: 1, message: could not create a primitive, in file"])
def test_words_of_too_little_memory_are_known(monkeypatch, words):
    done = subprocess.CompletedProcess([], 1, stdout="", stderr=f"{words}\n  • inputs=tf.Tensor()\n")
    monkeypatch.setattr(subprocess_call, "_run", lambda *given: done)
    assert subprocess_call.call_within(2.0, cases.study, {}) is None
    with pytest.raises(errors.FailedError, match=r"cases\.study"):
        subprocess_call.call(cases.study, {})


def test_process_that_is_interrupted_has_ended_before_anything_goes_on(monkeypatch, press_ctrl_c):
    begun = []

    class SoonInterrupted(subprocess.Popen):
        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            begun.append(self)
            press_ctrl_c(0.2)

    monkeypatch.setattr(subprocess_call, "PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(subprocess, "Popen", SoonInterrupted)
    with pytest.raises(KeyboardInterrupt):
        subprocess_call.call(cases.study, {})
    assert begun[0].returncode == -signal.SIGKILL


def test_study_under_a_limit_is_tried_until_it_dies(monkeypatch):
    def call_within(limit, function, given):
        assert (limit, function) == (2.0, cases.study)
        return {"images": given["views"]} if given["views"] == 40_000 else None

    monkeypatch.setattr(subprocess_call, "call_within", call_within)
    rows = memory_rows._study_limited(PLAN, 2.0)
    assert [(row.name, row.median) for row in rows] == [
        ("peer/study/limit_2GiB/40000", 40_000),
        ("peer/study/limit_2GiB/60000000", 0),
    ]


def test_ours_is_measured_again_and_again(monkeypatch):
    said = iter([{"peak_mib": 900.0, "steady_mib": 800.0}, {"peak_mib": 910.0, "steady_mib": 790.0}])
    monkeypatch.setattr(subprocess_call, "call", lambda function, given: next(said))
    peak, steady = memory_rows._ours(PLAN, 40_000)
    assert (peak.name, peak.median, peak.min, peak.max) == ("ours/peak/40000", 905.0, 900.0, 910.0)
    assert (steady.name, steady.min, steady.max) == ("ours/steady/40000", 790.0, 800.0)


def test_halves_that_differ_are_the_leaks_spread(monkeypatch):
    held = [1000.0] * 4 + [1000.0 + number for number in range(8)] + [1008.0] * 8
    monkeypatch.setattr(subprocess_call, "call", lambda function, given: {"mib": held})
    (row,) = memory_rows._leak(PLAN)
    assert (row.min, row.max) == (pytest.approx(0.0), pytest.approx(1024.0))
    assert row.min < row.median < row.max


def test_step_in_the_middle_is_within_the_leaks_spread(monkeypatch):
    monkeypatch.setattr(subprocess_call, "call", lambda function, given: {"mib": [1000.0] * 12 + [1010.0] * 8})
    (row,) = memory_rows._leak(PLAN)
    assert row.min == pytest.approx(0.0)
    assert row.median == row.max > 500.0


def test_leak_is_the_slope_behind_the_first_epochs(monkeypatch):
    held = [500.0, 900.0, 950.0, 990.0, *(1000.0 + number / 1024 * 8 for number in range(16))]
    monkeypatch.setattr(subprocess_call, "call", lambda function, given: {"mib": held})
    (row,) = memory_rows._leak(PLAN)
    assert row.median == row.min == row.max == pytest.approx(8.0)
    assert row.unit == "KiB/epoch"


def test_side_reports_from_its_own_process(tiny_data_dir):
    given = {"data_dir": tiny_data_dir, "dataset": "shapes100_tiny", "num_validation": 500}
    said = subprocess_call.call(cases.study, {**given, "views": 3000})
    assert said["images"] == 3000
    assert said["peak_mib"] > said["steady_mib"] / 2 > 100


def test_side_that_dies_of_its_limit_says_nothing_and_of_anything_else_fails(tiny_data_dir):
    given = {"data_dir": tiny_data_dir, "dataset": "shapes100_tiny", "num_validation": 500}
    assert subprocess_call.call_within(2.0, cases.study, {**given, "views": 400_000}) is None
    with pytest.raises(errors.FailedError, match=r"cases\.study: .*not prepared"):
        subprocess_call.call_within(2.0, cases.study, {**given, "data_dir": "/none", "views": 10})
    with pytest.raises(errors.FailedError, match=r"cases\.study: .*not prepared"):
        subprocess_call.call(cases.study, {**given, "data_dir": "/none", "views": 10})
