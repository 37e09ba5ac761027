"""Run folders keep other runs, other processes and half-written files out."""

import json
import os

import pytest

from models.runs.folder import RunFolder, open_locked
from pipeline.common import errors
from tests.models.reporting.run_files import make_confusion, make_rows


def test_claim_writes_the_configuration_once_and_goes_on(tmp_path):
    for _ in range(2):
        with open_locked(str(tmp_path / "a" / "run"), {"seed": 1, "data_dir": "x"}, {"seed": 1}) as run:
            assert run.config() == {"seed": 1, "data_dir": "x"}
            run.checkpoint.parent.mkdir(exist_ok=True)
            run.checkpoint.touch()


def test_another_configuration_is_refused_and_nothing_changes(tmp_path):
    with open_locked(str(tmp_path), {"seed": 1, "epochs": 2.0}, {"seed": 1}) as run:
        run.write_report({"fine_accuracy": 0.5})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        pytest.raises(errors.BadArgumentError, match=r"^run_dir=.*epochs=2.0.*4.0"),
        open_locked(str(tmp_path), {}, {"seed": 1, "epochs": 4.0}),
    ):
        pass
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_run_of_an_earlier_version_goes_on_where_the_new_field_has_its_default(tmp_path):
    with open_locked(str(tmp_path), {"seed": 1}, {"seed": 1}) as run:
        run.checkpoint.parent.mkdir(exist_ok=True)
        run.checkpoint.touch()
    with open_locked(str(tmp_path), {}, {"seed": 1, "patience": 0}) as run:
        assert run.has_begun
    with (
        pytest.raises(errors.BadArgumentError, match=r"^run_dir=.*patience=0.*3"),
        open_locked(str(tmp_path), {}, {"seed": 1, "patience": 3}),
    ):
        pass


def test_run_that_left_nothing_may_be_started_otherwise(tmp_path):
    for seed in (1, 2):
        with open_locked(str(tmp_path), {"seed": seed}, {"seed": seed}) as run:
            assert run.config() == {"seed": seed}


def test_second_process_is_kept_out(tmp_path):
    with (
        open_locked(str(tmp_path), {}, {}),
        pytest.raises(errors.FailedError, match=r"^run_dir=.*another process"),
        open_locked(str(tmp_path), {}, {}),
    ):
        pass


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(errors.BadArgumentError, match=r"'thesis.tex'"), open_locked(str(tmp_path), {}, {}):
        pass
    assert os.listdir(tmp_path) == ["thesis.tex"]
    file = tmp_path / "thesis.tex"
    with pytest.raises(errors.BadArgumentError, match="expected a folder"), open_locked(str(file), {}, {}):
        pass


def test_folder_without_a_run_has_no_configuration(tmp_path):
    with pytest.raises(errors.BadArgumentError, match=r"expected a folder that models.train wrote"):
        RunFolder(tmp_path).config()


def test_report_never_holds_what_json_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        RunFolder(tmp_path).write_report({"loss": float("nan")})


def test_confusion_is_read_back_and_is_none_before(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.confusion() is None
    folder.write_confusion(make_confusion())
    assert folder.confusion() == make_confusion()
    assert [path.name for path in tmp_path.iterdir()] == ["confusion.json"]
    assert " " not in (tmp_path / "confusion.json").read_text().replace("true class", "").replace("predicted class", "")


def test_failed_write_leaves_the_old_confusion(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.write_confusion({**make_confusion(), "split": "validation"})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        folder.write_confusion({"split": "test"})
    assert folder.confusion()["split"] == "validation"


def test_rows_are_read_back(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_metrics(make_rows(2))
    assert folder.rows() == make_rows(2)
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 2
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1]) == make_rows(2)[1]
