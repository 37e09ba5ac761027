"""A run on one data set, continued and evaluated on another copy of it and on other records."""

import errno
import os
import pathlib
import shutil

import pytest

from models import evaluate
from models.reporting import figures
from models.runs.folder import RunFolder, open_locked
from models.training import loop
from models.training.evaluation import evaluate_run
from pipeline.common import errors, files
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared
from tests.binaries import call_here
from tests.models.training.linear_runs import linear
from tests.prepared_copies import reordered, with_other_records


@pytest.fixture(scope="module")
def other_order(tiny_data_dir, tmp_path_factory) -> str:
    return reordered(tiny_data_dir, tmp_path_factory.mktemp("reordered") / "data")


@pytest.fixture(scope="module")
def other_records(tiny_data_dir, tmp_path_factory) -> str:
    return with_other_records(tiny_data_dir, tmp_path_factory.mktemp("other") / "data")


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    with open_locked(str(folder), {**data.as_dict(), **linear().as_dict()}, {}) as run:
        loop.train(data, linear(max_steps=2), run=run, verbose=0)
    return folder


@pytest.fixture
def finished_run(trained, tmp_path) -> RunFolder:
    return RunFolder(shutil.copytree(trained, tmp_path / "run"))


def content(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def test_report_has_the_fingerprints_of_the_data(finished_run, tiny_data_dir):
    report = finished_run.report()
    assert report["fingerprints"] == prepared.provenance(tiny_data_dir, "shapes100_tiny")["fingerprints"]
    assert report["evaluated_records"] == figures.SAME_RECORDS


def test_validation_images_of_another_copy_are_the_same(finished_run, other_order):
    report = finished_run.report()
    evaluate_run(finished_run, "validation", other_order)
    again = finished_run.report()
    assert again["evaluated_records"] == figures.SAME_RECORDS
    assert [again[key] for key in ("fine_loss", "coarse_loss")] == pytest.approx(
        [report[key] for key in ("fine_loss", "coarse_loss")], rel=1e-6
    )


def test_validation_on_other_records_is_refused(finished_run, other_records):
    before = content(finished_run)
    with pytest.raises(errors.BadArgumentError, match=r"^run_dir=.*: trained on other records .*--split=test"):
        evaluate_run(finished_run, "validation", other_records)
    assert content(finished_run) == before


def test_test_on_other_records_is_evaluated_and_reported(finished_run, other_records):
    evaluate_run(finished_run, "test", other_records)
    report = finished_run.report()
    assert report["evaluated_records"] == report["evaluations"]["test"]["evaluated_records"] == figures.OTHER_RECORDS
    assert "OTHER records" in figures.results(report)[-1].note
    evaluate_run(finished_run, "validation")
    assert "(OTHER records)" in figures.results(finished_run.report())[-1].note
    evaluate_run(finished_run, "test")
    assert finished_run.report()["evaluated_records"] == figures.SAME_RECORDS


@pytest.mark.parametrize(("copy", "words"), [("other_order", "another order"), ("other_records", "other records")])
def test_run_is_not_continued_on_another_order_or_set(copy, words, data, tmp_path, request):
    class StopError(Exception):
        pass

    class Killed(loop.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise StopError

    config = linear()
    with open_locked(str(tmp_path / "run"), {**data.as_dict(), **config.as_dict()}, {}) as run:
        with pytest.raises(StopError):
            loop.train(data, config, run=run, callbacks=[Killed()], verbose=0)
        before = content(run)
        moved = data.replace(data_dir=request.getfixturevalue(copy))
        with pytest.raises(errors.BadArgumentError, match=rf"^run_dir=.*: started on .*{words}"):
            loop.train(moved, config, run=run, verbose=0)
        assert content(run) == before
        assert loop.train(data, config, run=run, verbose=0).report["epochs"] == 3.0


def test_run_on_read_only_media_is_evaluated_and_left_as_it_is(finished_run, monkeypatch, capsys):
    def refuse(path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    before = content(finished_run)
    for name in ("check_writable", "replacing", "make_folder", "fsync"):
        monkeypatch.setattr(files, name, refuse)
    arguments = (f"--run_dir={finished_run.path}", "--split=test")
    assert call_here(monkeypatch, evaluate.main, evaluate.flags, *arguments) == 0
    *figures_shown, last = capsys.readouterr().out.splitlines()
    assert any("test" in line for line in figures_shown)
    assert "report.json" in last
    assert os.strerror(errno.EROFS) in last
    assert content(finished_run) == before
