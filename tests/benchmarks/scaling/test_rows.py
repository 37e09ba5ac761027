"""Jobs of a plan, the rows of their reports, and plans that are refused."""

import pytest

from benchmarks.harness import subprocess_call
from benchmarks.scaling import cases, rows
from pipeline.common import errors

PLAN = rows.Plan((1000, 20_000), (128, 512), (1, 2), 1000, repeats=3, rounds=2, with_training=True)


@pytest.mark.parametrize("number", [2, 3])
def test_job_that_is_interrupted_has_no_row_and_takes_none_away(tmp_path, monkeypatch, number):
    calls = []

    def call(function, **arguments):
        calls.append(function)
        if calls.count(cases.load) == number:
            raise KeyboardInterrupt
        return {"rates": [100.0], "first_s": 1.0, "peak_mib": 700.0}

    monkeypatch.setattr(subprocess_call, "call", call)
    reports: dict = {}
    with pytest.raises(KeyboardInterrupt):
        rows.measure(PLAN, tmp_path, reports)
    found = rows.rows(PLAN, reports)
    assert [row.name for row in found] == [job.labels.name for job in rows.jobs(PLAN)][: number - 1]


def test_row_is_of_all_rounds_and_jobs_that_reports_nothing_have_none():
    name = rows.jobs(PLAN)[0].labels.name
    reports = [
        {"rates": [100.0, 120.0], "first_s": 0.5, "peak_mib": 700.0},
        {"rates": [80.0, 110.0], "first_s": 0.4, "peak_mib": 710.0},
    ]
    (row,) = rows.rows(PLAN, {name: reports})
    assert (row.name, row.median, row.min, row.max) == (name, 105.0, 80.0, 120.0)
    assert (row.repeats, row.processes, row.first_call_s, row.peak_mib) == (4, 2, 0.5, 710.0)


def test_every_job_has_a_process_in_each_round(tmp_path, monkeypatch):
    called = []

    def call(function, **arguments):
        called.append((function, arguments))
        return {}

    monkeypatch.setattr(subprocess_call, "call", call)
    reports: dict = {}
    rows.measure(PLAN, tmp_path, reports)
    todo = rows.jobs(PLAN)
    assert [arguments["num_images"] for function, arguments in called if function == cases.prepare] == list(PLAN.sizes)
    assert len(called) == len(PLAN.sizes) + 2 * len(todo)
    assert called[len(PLAN.sizes)] == called[len(PLAN.sizes) + len(todo)] != called[len(PLAN.sizes) + 1]
    assert all(len(reports[job.labels.name]) == 2 for job in todo)


def test_jobs_take_whole_passes_and_rows_have_names_of_their_own():
    jobs = rows.jobs(PLAN)
    assert len({job.labels.name for job in jobs}) == len(jobs)
    for job in jobs:
        if job.function == cases.load:
            assert job.arguments["num_images"] % job.num_images == 0
            assert job.arguments["num_images"] >= 40_000
    assert {job.function for job in jobs} == {cases.load, cases.train}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": (1000, 1234)}, "sizes=1234: expected a multiple of 500, from 1000 on"),
        ({"batch_images": 5000}, "batch_images=5000: expected one of the sizes, 1000, 20000"),
        ({"batch_sizes": (64, 2048)}, "batch_sizes=2048: expected at most the 1000 images of batch_images"),
    ],
)
def test_what_cannot_be_made_is_refused(changes, message):
    values = {"sizes": (1000, 20_000), "batch_sizes": (64,), "threads": (1,), "batch_images": 1000}
    with pytest.raises(errors.BadArgumentError, match=message):
        rows.Plan(**{**values, **changes}, repeats=1, rounds=1, with_training=False)
