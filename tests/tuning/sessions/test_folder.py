"""The folder of a session: its records are checked once, and again where they have changed."""

import shutil

import pytest

from models.config import saved
from pipeline.common import errors
from tests.conftest import ROOT
from tuning.sessions.folder import SessionFolder

SESSION = ROOT / "tests" / "tuning" / "written_by_710a023" / "session_home" / "session"


def test_record_that_another_worker_is_writing_is_none_yet(tmp_path):
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / ".0.partial.json").write_text("{", encoding="utf-8")
    assert SessionFolder(tmp_path).records() == []


def test_records_that_stay_the_same_are_checked_once(tmp_path, monkeypatch):
    folder = SessionFolder(shutil.copytree(SESSION, tmp_path / "session"))
    before = folder.records()
    assert len(before) > 1
    with monkeypatch.context() as context:
        context.setattr(saved, "check", lambda values: pytest.fail("checked again"))
        assert folder.records() == before
    record = tmp_path / "session" / "trials" / f"{before[0]['id']}.json"
    record.write_text(record.read_text(encoding="utf-8").replace("COMPLETED", "LOST"), encoding="utf-8")
    with pytest.raises(errors.DamagedError, match=record.name):
        folder.records()
