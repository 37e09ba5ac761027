"""Data sets have the size that is asked for, each job measures whole passes, and what cannot be made is refused."""

import pytest

from benchmarks.harness import subprocess_call
from benchmarks.harness.labels import Labels
from benchmarks.scaling import cases, rows
from pipeline.common import errors
from pipeline.data_config import SourceConfig

PLAN = rows.Plan((1000, 20_000), (128, 512), (1, 2), 1000, repeats=3, rounds=2, with_training=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scaling") / "1000"
    folder.mkdir()
    reports = subprocess_call.call(cases.prepare, data_dir=str(folder), num_images=1000)
    assert reports["seconds"] > 0
    return folder


def test_data_set_has_the_size_asked_for_and_the_usual_one_stays(folder):
    from pipeline import source
    from pipeline.datasets.shapes100 import builder as shapes100

    builder = source.open_builder(SourceConfig(dataset="shapes100", data_dir=str(folder)))
    assert source.num_examples(builder, "train") == 1000
    assert shapes100.Shapes100.TRAIN_PER_CLASS == 500


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


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_feed_and_training_say_what_their_rows_need(folder, cache):
    given = {"data_dir": str(folder), "cache": cache, "batch_size": 100, "threads": 1, "num_images": 1000, "repeats": 2}
    reports = subprocess_call.call(cases.load, **given)
    row = rows.row(rows.Job(Labels("ours/x", "size"), cases.load, 1000, given), [reports])
    assert (row.repeats, row.processes) == (2, 1)
    assert row.max >= row.min > 100
    assert row.peak_mib > 100
    assert row.first_call_s > 0


def test_training_is_measured(folder):
    reports = subprocess_call.call(cases.train, data_dir=str(folder), batch_size=32, num_images=32, repeats=1)
    assert reports["rates"][0] > 1
    assert reports["peak_mib"] > 100


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


def test_process_that_dies_is_told_of():
    with pytest.raises(errors.FailedError, match=r"cases\.load: .*unexpected keyword argument 'nonsense'"):
        subprocess_call.call(cases.load, nonsense=1)
