"""The journal of a session is whole after a full disk and after a kill."""

import resource

import pytest

from tests.tuning.sessions.small_sessions import searched
from tuning.sessions.journal import Journal


def test_journal_that_cannot_be_written_is_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "session"
    found = searched(path, max_trials=2)
    before = (path / "journal.jsonl").read_bytes()
    with monkeypatch.context() as full:
        full.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            found.folder.journal.append({"event": "time", "spent_s": 1.0})
    assert (path / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("room", [10, 200])
def test_line_of_which_a_part_fits_leaves_the_journal_as_it_was(tmp_path, room):
    journal = Journal(tmp_path / "journal.jsonl")
    event = {"event": "time", "spent_s": 1.0, "padding": "x" * 300}
    journal.append(event)
    before = (tmp_path / "journal.jsonl").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            journal.append(event)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    journal.append(event)
    assert len(journal.events()) == 2


def test_line_of_the_journal_that_a_kill_cut_off_is_passed_over_and_replaced(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({"event": "time", "spent_s": 1.0})
    whole = (tmp_path / "journal.jsonl").read_bytes()
    (tmp_path / "journal.jsonl").write_bytes(whole + b'{"event": "ti')
    again = Journal(tmp_path / "journal.jsonl")
    assert len(again.events()) == 1
    assert (tmp_path / "journal.jsonl").read_bytes() != whole  # a chief may be writing it
    again.append({"event": "time", "spent_s": 2.0})
    assert [event["spent_s"] for event in again.events()] == [1.0, 2.0]
