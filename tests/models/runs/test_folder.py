"""Run folders keep other runs, other processes and half-written files out."""

import errno
import json
import os

import keras
import pytest

from models.runs.folder import EVALUATED, RunFolder, open_locked, previous_checkpoint
from pipeline.common import errors, files
from tests.models.reporting.run_files import REPORT, make_calibration, make_confusion, make_mistakes, make_rows


def test_files_are_where_other_versions_read_them(tmp_path):
    run = RunFolder(tmp_path)
    paths = (run.checkpoint, previous_checkpoint(run.checkpoint), run.good_checkpoint, run.model, run.page)
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        "checkpoint/state.npz",
        "checkpoint/previous_state.npz",
        "checkpoint/good.npz",
        "model.keras",
        "report.html",
    ]


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


def test_another_configuration_is_refused_though_another_process_holds_the_lock(tmp_path):
    with open_locked(tmp_path, {"seed": 1}, {"seed": 1}) as run:
        run.write_report({})
        with pytest.raises(errors.BadArgumentError, match="seed=1 there"), open_locked(tmp_path, {}, {"seed": 2}):
            pass


def test_run_that_began_before_the_lock_was_taken_is_seen(tmp_path, monkeypatch):
    locked = RunFolder.locked

    def locked_later(folder):
        files.write_json(tmp_path / "config.json", {"seed": 1})
        folder.write_report({})
        return locked(folder)

    monkeypatch.setattr(RunFolder, "locked", locked_later)
    with pytest.raises(errors.BadArgumentError, match="seed=1 there"), open_locked(tmp_path, {}, {"seed": 2}):
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


def test_metrics_never_hold_what_json_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        RunFolder(tmp_path).write_metrics([{"loss": float("nan")}])


def test_configuration_of_a_begun_run_is_expected_and_understood(tmp_path):
    files.write_json(tmp_path / "config.json", {"config_format": 1000})
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*config.json was written by a newer version"):
        RunFolder(tmp_path).config()
    RunFolder(tmp_path).write_report({})
    (tmp_path / "config.json").unlink()
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*config.json is missing"):
        RunFolder(tmp_path).config()


@pytest.mark.parametrize("name", EVALUATED)
def test_what_an_evaluation_left_is_damaged_without_its_keys(tmp_path, name):
    (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(errors.DamagedError, match=rf"^run_dir=.*{name}.json is damaged .*models.evaluate"):
        RunFolder(tmp_path).evaluated(name)


@pytest.mark.parametrize(("name", "made"), [("calibration", make_calibration()), ("mistakes", make_mistakes())])
def test_what_an_evaluation_left_is_read_back_and_is_none_before(tmp_path, name, made):
    folder = RunFolder(tmp_path)
    assert folder.evaluated(name) is None
    folder.write_evaluated(name, made)
    assert folder.evaluated(name) == made
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.json"]


def test_answer_that_was_measured_with_a_temperature_has_one(tmp_path):
    RunFolder(tmp_path).write_evaluated("calibration", {**make_calibration(), "temperatures": {"fine": 1.2}})
    with pytest.raises(errors.DamagedError, match=r"calibration.json.*coarse has no temperature"):
        RunFolder(tmp_path).evaluated("calibration")


@pytest.mark.parametrize("temperature", [0, -1.0, "1", None])
def test_temperature_is_positive(tmp_path, temperature):
    RunFolder(tmp_path).write_evaluated("calibration", {**make_calibration(), "temperatures": {"fine": temperature}})
    with pytest.raises(errors.DamagedError, match="temperatures"):
        RunFolder(tmp_path).evaluated("calibration")


def test_confusion_is_read_back_and_is_none_before(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.evaluated("confusion") is None
    folder.write_evaluated("confusion", make_confusion())
    assert folder.evaluated("confusion") == make_confusion()
    assert [path.name for path in tmp_path.iterdir()] == ["confusion.json"]
    assert " " not in (tmp_path / "confusion.json").read_text().replace("true class", "").replace("predicted class", "")


@pytest.mark.parametrize(
    ("report", "is_awaited"),
    [
        ({}, True),
        ({"calibration": {"test": {}}}, False),  # by somebody's models.evaluate, whose figures are to stay
        ({"calibration": {"validation": {}}}, False),
        ({"num_validation": 0}, False),
        ({"fingerprints": None}, False),  # continued from a run of an earlier version, which held out other images
    ],
)
def test_run_awaits_its_evaluation_on_validation(tmp_path, monkeypatch, report, is_awaited):
    folder, trained = RunFolder(tmp_path), {"calibration": {}, "fingerprints": {"records": "a", "order": "b"}}
    assert not folder.awaits_validation
    folder.write_report({**REPORT, **trained, **report})
    assert folder.awaits_validation == is_awaited
    monkeypatch.setattr(RunFolder, "read_only_reason", "Read-only file system")
    assert not folder.awaits_validation


def test_run_of_an_earlier_version_awaits_no_evaluation(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_report({**REPORT, "fingerprints": {"records": "a", "order": "b"}})
    assert not folder.awaits_validation


def test_new_run_has_no_temperature_of_the_run_that_was_removed_from_its_folder(tmp_path):
    for seed, is_kept in ((1, False), (1, True), (2, False)):
        with open_locked(tmp_path, {"seed": seed}, {"seed": seed}) as run:
            assert (run.evaluated("calibration") is not None) == is_kept
            run.write_evaluated("calibration", make_calibration())
            run.write_report({})
        if is_kept:
            (tmp_path / "report.json").unlink()


def test_failed_write_leaves_the_old_confusion(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.write_evaluated("confusion", {**make_confusion(), "split": "validation"})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        folder.write_evaluated("confusion", {"split": "test"})
    assert folder.evaluated("confusion")["split"] == "validation"


def test_rows_are_read_back(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_metrics(make_rows(2))
    assert folder.rows() == make_rows(2)
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 2
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1]) == make_rows(2)[1]


def test_rows_are_read_back_with_the_mark_of_an_editor(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.rows() == []
    folder.write_metrics(make_rows(2))
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert folder.rows() == make_rows(2)


def test_identity_of_a_folder_of_something_else_is_refused_before_its_lock(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(errors.BadArgumentError, match=r"'thesis.tex'"):
        RunFolder(tmp_path).check_identity({})


def test_auto_is_what_the_begun_run_has(tmp_path):
    folder = RunFolder(tmp_path)
    files.write_json(tmp_path / "config.json", {"precision": "float32"})
    assert folder.as_begun("precision", "auto") == "auto"
    folder.write_report({})
    assert folder.as_begun("precision", "auto") == "float32"
    assert folder.as_begun("precision", "mixed_bfloat16") == "mixed_bfloat16"
    assert folder.as_begun("dataset", "auto") == "auto"  # a run of a version without the field


def test_run_is_finished_once_it_has_a_report(tmp_path):
    folder = RunFolder(tmp_path)
    files.write_json(tmp_path / "config.json", {"epochs": 2.0})
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*finished run"):
        folder.check_finished()
    with pytest.raises(errors.BadArgumentError, match=r"^run_dir=.*expected a folder that models.train wrote"):
        RunFolder(tmp_path / "none").check_finished()
    folder.write_report({"fine_accuracy": 0.5})
    assert folder.check_finished() is folder


def test_configuration_without_a_field_is_damaged(tmp_path):
    """Its defaults would stand for another run."""
    files.write_json(tmp_path / "config.json", {})
    with pytest.raises(errors.DamagedError, match=r"^run_dir=.*config.json is damaged"):
        RunFolder(tmp_path).config()


def test_description_that_is_missing_is_named_unless_the_data_set_is_built_in(tmp_path):
    files.write_json(tmp_path / "config.json", {"dataset": "cifar10"})
    assert RunFolder(tmp_path).description().dataset == "cifar10"
    files.write_json(tmp_path / "config.json", {"dataset": "folder:/flowers"})
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*: dataset.json is missing, of folder:/flowers"):
        RunFolder(tmp_path).description()


def test_lock_is_nested_and_ends_with_its_context(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.locked(), folder.locked():
        pass
    with RunFolder(tmp_path).locked(), pytest.raises(errors.BusyError), folder.locked():
        pass


def finished(path) -> RunFolder:
    """The folder of a finished run without its checkpoint."""
    folder = RunFolder(path)
    files.write_json(path / "config.json", {"epochs": 2.0})
    folder.write_report(REPORT)
    folder.model.write_bytes(b"weights")
    return folder


def test_report_is_read_back_and_expected(tmp_path):
    folder = finished(tmp_path)
    assert folder.report() == REPORT
    (tmp_path / "report.json").unlink()
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*report.json is missing"):
        folder.report()


def test_model_of_an_unfinished_run_and_a_missing_one_are_refused(tmp_path):
    folder = finished(tmp_path)
    assert folder.check_model() is folder
    folder.model.unlink()
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*model.keras cannot be read"):
        folder.check_model()
    folder.model.write_bytes(b"weights")
    (tmp_path / "report.json").unlink()
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*finished run"):
        folder.check_model()


def test_model_is_loaded_or_its_file_named(tmp_path):
    folder = finished(tmp_path)
    files.write_json(tmp_path / "config.json", {"dataset": "cifar100"})
    images = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    heads = {level: keras.layers.Dense(count)(pooled) for level, count in (("fine", 100), ("coarse", 20))}
    keras.Model(images, heads).save(folder.model)
    assert set(folder.load_model().output) == {"fine", "coarse"}
    keras.Model(images, {"fine": heads["fine"]}).save(folder.model)
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*model.keras .*'fine': 100} classes.*'coarse': 20}"):
        folder.load_model()
    keras.Model(images, heads["fine"]).save(folder.model)
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*model.keras .*'': 100} classes"):
        folder.load_model()
    folder.model.unlink()
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*model.keras cannot be read"):
        folder.load_model()


@pytest.mark.parametrize("checkpoint", [None, "state.npz", "previous_state.npz"])
def test_damaged_file_is_rewritten_from_a_checkpoint_or_restored_from_a_copy(checkpoint, tmp_path):
    folder = finished(tmp_path)
    folder.write_metrics(make_rows(1))
    if checkpoint:
        folder.checkpoint.parent.mkdir()
        folder.checkpoint.with_name(checkpoint).touch()
    folder.check_readable()
    remedy = "from the checkpoint$" if checkpoint else "restore it from a copy"
    for name, problem in (("metrics.jsonl", "damaged .line 1: "), ("report.json", "damaged ")):
        (tmp_path / name).write_text("{}\n")
        with pytest.raises(errors.DamagedError, match=rf"^run_dir=.*{name} is {problem}.*{remedy}"):
            folder.check_readable()


@pytest.mark.parametrize(("content", "is_whole"), [("<html></html>\n", True), ("<html>", False), (None, False)])
def test_page_that_was_cut_off_is_none(content, is_whole, tmp_path):
    folder = RunFolder(tmp_path)
    if content is not None:
        folder.page.write_text(content)
    assert folder.has_page == is_whole


@pytest.mark.parametrize(("page_seconds", "is_current"), [(-1, False), (0, True), (1, True)])
def test_page_that_is_older_than_the_report_is_none(page_seconds, is_current, tmp_path):
    """A kill between them left the page of the split that was evaluated before."""
    folder = finished(tmp_path)
    folder.page.write_text("<html></html>")
    seconds = (tmp_path / "report.json").stat().st_mtime + page_seconds
    os.utime(folder.page, (seconds, seconds))
    os.utime(tmp_path / "report.json", (seconds - page_seconds, seconds - page_seconds))
    assert folder.has_page == is_current


def test_folder_is_read_only_where_the_place_is_wrong(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    assert folder.read_only_reason is None
    assert not os.listdir(tmp_path)

    def refuse(number):
        def check(path):
            assert path == tmp_path / "report.json"
            raise OSError(number, os.strerror(number))

        return check

    with pytest.raises(errors.WriteError, match=rf"^run_dir={tmp_path}: cannot be written"), folder.writing():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path))
    monkeypatch.setattr(files, "check_writable", refuse(errno.EROFS))
    assert folder.read_only_reason == "Read-only file system"
    monkeypatch.setattr(files, "check_writable", refuse(errno.ENOSPC))
    assert folder.read_only_reason is None  # a full disk can be written to again


def trunk(path, content: bytes = b"weights"):
    path.mkdir()
    (path / "model.keras").write_bytes(content)
    return str(path)


def begun_on(path, init_from: str):
    """The folder of a run that began with a trunk; "" is none."""
    values = {"init_from": init_from}
    with open_locked(path, values, values) as run:
        run.write_report({})
    return RunFolder(path)


def test_run_goes_on_wherever_its_trunk_lies_now(tmp_path, monkeypatch):
    folder = begun_on(tmp_path / "run", trunk(tmp_path / "trunk"))
    folder.check_identity({"init_from": trunk(tmp_path / "moved")})
    monkeypatch.chdir(tmp_path)
    folder.check_identity({"init_from": "trunk"})
    (tmp_path / "trunk" / "model.keras").unlink()
    folder.check_identity({"init_from": "trunk"})  # the same folder, whose model is not needed any more


def test_working_folder_is_not_the_trunk_of_a_run_without_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.BadArgumentError, match=r"^run_dir=.*init_from"):
        begun_on(tmp_path / "run", "").check_identity({"init_from": "."})


def test_trunk_at_a_url_is_refused_by_its_flag(tmp_path):
    with (
        pytest.raises(errors.BadArgumentError, match=r"^init_from=.*URL"),
        open_locked(tmp_path / "run", {"init_from": "gs://bucket/run"}, {}),
    ):
        pass


@pytest.mark.parametrize("name", ["other", "_", ""])
def test_run_of_another_trunk_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = begun_on(tmp_path / "run", trunk(tmp_path / "trunk"))
    without = begun_on(tmp_path / "without", "")
    if name:
        trunk(tmp_path / name, b"other weights")
        with pytest.raises(errors.BadArgumentError, match=r"^run_dir=.*init_from"):
            without.check_identity({"init_from": name})
    with pytest.raises(errors.BadArgumentError, match=r"^run_dir=.*init_from"):
        folder.check_identity({"init_from": name})
