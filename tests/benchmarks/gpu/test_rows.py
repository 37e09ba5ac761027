"""Ratios and waits for data; nothing here is timed."""

import pytest

from benchmarks.gpu import rows
from benchmarks.gpu.attempts import Attempts
from benchmarks.gpu.plan import ONE_BATCH, Plan, Setting
from benchmarks.harness.timing import Timing

PLAIN = Setting("float32", "off")
COMPILED = Setting("float32", "on")
RATES = {
    PLAIN: (100.0, 110.0),
    COMPILED: (200.0, 220.0),
    Setting("float32", "on", feed="device"): (300.0, 330.0),
    Setting("float32", "on", feed=ONE_BATCH): (400.0, 440.0),
}
TIMINGS = {setting: Timing(setting.labels("fast", 10), 1.0, rates) for setting, rates in RATES.items()}
PLAN = Plan("fast", ("memory",), 0, ("float32",), "float32", (), repeats=1, round_s=0.0)


def test_ratio_of_a_step_is_to_its_base():
    found = {row.name: row for row in rows.steps(TIMINGS)}
    plain, compiled, on_device, _ = (found[timing.name] for timing in TIMINGS.values())
    assert (plain.ratio, plain.steps_per_s) == (None, 10.5)
    assert (compiled.ratio, compiled.ratio_of) == (2.0, [compiled.name, plain.name])
    assert (on_device.ratio, on_device.ratio_of) == (1.5, [on_device.name, compiled.name])


def test_step_whose_base_failed_has_no_ratio():
    (row,) = rows.steps({COMPILED: TIMINGS[COMPILED]})
    assert row.ratio is None


def test_waits_are_shares_of_the_time_of_a_step():
    waits = {row.name: (row.unit, row.median) for row in rows.waits_for_data("fast", TIMINGS)}
    assert waits == {
        "ours/waits_for_data/fast/memory": ("%", 50.0),
        "ours/waits_for_data/fast/device": ("%", 25.0),
    }


def test_without_the_step_on_one_batch_no_wait_is_known():
    assert list(rows.waits_for_data("fast", {COMPILED: TIMINGS[COMPILED]})) == []


def test_training_has_a_row_for_each_figure():
    found = {"seconds": 9.5, "accuracy": 75.2, "host_mib": 900.0, "device_mib": 2000.0}
    measured = {row.name: (row.unit, row.median) for row in rows.training(PLAN, "memory", found)}
    assert measured == {
        "ours/train/fast/memory/seconds": ("s", 9.5),
        "ours/train/fast/memory/accuracy": ("%", 75.2),
        "ours/train/fast/memory/host_mib": ("MiB", 900.0),
        "ours/train/fast/memory/device_mib": ("MiB", 2000.0),
    }


def test_without_time_there_are_no_rows(capsys):
    attempt = Attempts(0.0)
    plan = Plan("linear", ("memory", "device"), 1, ("float32",), "float32", ("flip_shift",), repeats=1, round_s=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows.training_steps, "configured", lambda *arguments: (None, None))
        assert list(rows.measure(plan, {}, attempt)) == []
    assert len(attempt.left_out) == 2 + len(plan.settings()) + 1
    assert capsys.readouterr().out == ""
