"""Every file of a session and of a study is written whole, synchronized and renamed; the journal grows by fsync."""

import os

from pipeline.common import files
from pipeline.data_config import SourceConfig
from tests.durable_files import DiskRecord
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import searched
from tuning import study
from tuning.sessions.reporting import write
from tuning.studies import catalogue
from tuning.studies import report as study_report
from tuning.studies.folder import open_study


def test_every_file_of_a_session_survives_a_power_failure(tmp_path, monkeypatch):
    record = DiskRecord(monkeypatch)
    session = searched(tmp_path / "sessions" / "mine", max_trials=2)
    write.write(session, [], is_retrained=False)
    names = {path.name for path in session.folder.path.rglob("*") if path.is_file()}
    assert {"session.json", "journal.jsonl", "report.json", "report.md", "best.json", "objective.png"} <= names
    assert record.lost(tmp_path / "sessions", appended=("journal.jsonl",)) == {}


def test_every_file_of_a_study_survives_a_power_failure(tmp_path, monkeypatch, jobs):
    record = DiskRecord(monkeypatch)
    with open_study(tmp_path / "studies" / "mine", "normalisation", "smoke", jobs) as folder:
        folder.settle_precision("float32", "it is the only one")
        for job in jobs[:-1]:
            files.make_folder(folder.run_dir(job))
            folder.write_finished(job, stub_training.outcome(job), 1.0)
        folder.write_failed(jobs[-1], "no memory", "", 1.0)
        report = study_report.document(
            catalogue.find("normalisation"), "smoke", SourceConfig(dataset="shapes100_tiny"), folder.results()
        )
        folder.write_report(report)
        study._draw(report, folder.path)
    names = {path.name for path in folder.path.rglob("*") if path.is_file()}
    assert {"study.json", "report.json", "report.md", f"{jobs[-1].name}.json"} <= names
    assert any(name.endswith(".png") for name in names)
    assert record.lost(tmp_path / "studies") == {}


def test_record_shows_what_is_not_durable(tmp_path, monkeypatch):
    record = DiskRecord(monkeypatch)
    folder = tmp_path / "made"
    files.make_folder(folder)
    files.write_text(folder / "whole", "x")
    assert record.lost(folder) == {}
    (folder / "plain").write_text("x")
    (folder / "half").write_text("x")
    os.replace(folder / "half", folder / "renamed")
    with open(folder / "whole", "a", encoding="ascii") as file:
        file.write("y")
    (folder / "new").mkdir()
    assert {name.rpartition("/")[2] for name in record.lost(folder)} == {"plain", "renamed", "whole", "new"}
