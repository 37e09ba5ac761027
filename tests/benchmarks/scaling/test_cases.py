"""Data sets have the requested size; loading and training on them report what rows need."""

import pytest

from benchmarks.harness import subprocess_call
from benchmarks.harness.labels import Labels
from benchmarks.scaling import cases, rows
from pipeline.data_config import SourceConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scaling") / "1000"
    folder.mkdir()
    assert cases.prepare(data_dir=str(folder), num_images=1000)["seconds"] > 0
    return folder


def test_data_set_has_the_size_asked_for_and_the_usual_one_stays(folder):
    from pipeline import source
    from pipeline.datasets.shapes100 import builder as shapes100

    builder = source.open_builder(SourceConfig(dataset="shapes100", data_dir=str(folder)))
    assert source.num_examples(builder, "train") == 1000
    assert shapes100.Shapes100.TRAIN_PER_CLASS == 500


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_feed_and_training_say_what_their_rows_need(folder, cache):
    given = {"data_dir": str(folder), "cache": cache, "batch_size": 100, "threads": 1, "num_images": 1000, "repeats": 2}
    row = rows.row(rows.Job(Labels("ours/x", "size"), cases.load, 1000, given), [cases.load(**given)])
    assert (row.repeats, row.processes) == (2, 1)
    assert row.max >= row.min > 100
    assert row.peak_mib > 100
    assert row.first_call_s > 0


def test_training_is_measured(folder):
    reports = subprocess_call.call(cases.train, data_dir=str(folder), batch_size=32, num_images=32, repeats=1)
    assert reports["rates"][0] > 1
    assert reports["peak_mib"] > 100
