"""Rows of measured and of projected rates; nothing here is timed."""

import pytest

from benchmarks.replicas import clusters, rows
from benchmarks.replicas.cases import Division
from benchmarks.replicas.cost_model import Work, step_cost

WORK = Work(images=64, image_operations=1e9, optimizer_operations=1e10, gradient_bytes=10**7)


def test_ratios_are_to_one_process():
    rates = {Division("none"): [100.0, 200.0], Division("multi_worker", 2): [90.0, 190.0]}
    plain, divided = rows.measured("fast", 64, rates)
    assert (plain.name, plain.median, plain.ratio) == ("ours/measured/fast/none/1", 150.0, None)
    assert (divided.name, divided.processes) == ("ours/measured/fast/multi_worker/2", 2)
    assert (divided.ratio, divided.ratio_of) == (0.925, [divided.name, plain.name])


def test_training_that_failed_has_no_row():
    assert [row.name for row in rows.measured("fast", 64, {Division("none"): [100.0], Division("mirrored"): []})] == [
        "ours/measured/fast/none/1"
    ]


def test_machine_that_is_projected_to_itself_has_the_measured_rate():
    sustained = rows.operations_per_s(WORK, 500.0)
    (alone,) = (one for one in clusters.projected(sustained, 1e9) if one.name == "2_machines_cpu_10_gbit")
    alone = vars(alone) | {"replicas": 1}
    assert step_cost(WORK, clusters.Cluster(**alone)).images_per_s == pytest.approx(500.0)


def test_projected_rows_say_that_they_are_computed():
    found = clusters.projected(1e12, 1e6)
    projected = [row for row, _ in rows.projected("fast", WORK, found)]
    assert all(row.predicted and row.name.startswith("ours/projected/fast/") for row in projected)
    assert len({row.name for row in projected}) == len(projected) == 2 * len(found) - 1  # one GPU has one row
    assert {8, 64} <= {row.processes for row in projected}
    assert {row.batch_size for row in projected if row.processes == 64} == {64, 64 * 64}


def test_lines_say_where_the_time_goes():
    costs = {row.name: cost for row, cost in rows.projected("fast", WORK, clusters.projected(1e12, 1e6))}
    lines = list(rows.lines(costs))
    assert len(lines) == len(costs)
    assert all(part in line for line in lines for part in ("compute", "optimizer", "all-reduce", "input"))


def test_flags_of_a_division():
    assert Division("none").flags == ["--distribute=none"]
    assert Division("multi_worker", 2).flags == ["--distribute=multi_worker", "--num_processes=2"]
