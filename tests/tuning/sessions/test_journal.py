"""The journal of a session is whole after a full disk and after a kill; what is missing of a session is named."""

import json
import resource

import pytest

from pipeline.common import errors, files
from tests.tuning.sessions.small_sessions import searched, told
from tuning.sessions.journal import Journal


def test_journal_that_cannot_be_written_is_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "session"
    found = searched(path, max_trials=2)
    before = (path / "journal.jsonl").read_bytes()
    with monkeypatch.context() as full:
        full.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match=r"No space.*journal\.jsonl"):
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


def without_line(path, place):
    """Remove a line of the journal."""
    lines = path.read_text().splitlines(keepends=True)
    del lines[place]
    path.write_text("".join(lines))


def test_every_line_that_is_missing_is_an_error_or_a_warning_and_no_trial_changes(tmp_path, capsys):
    path, whole = tmp_path / "session", searched(tmp_path / "whole", max_trials=3)
    found = searched(path, max_trials=3)
    for spent_s in (50.0, 70.0):
        found.folder.journal.append({"event": "time", "spent_s": spent_s})
    journal = (path / "journal.jsonl").read_bytes()
    *trial_lines, last_end, _, _ = range(len(found.folder.journal.events()))
    for place in (*trial_lines, last_end, last_end + 1):
        without_line(path / "journal.jsonl", place)
        problem = ""
        try:
            assert told(searched(path, max_trials=3)) == told(whole)
        except errors.FailedError as error:
            problem = str(error)
        warning = capsys.readouterr().err
        assert ("journal.jsonl: " in problem, "journal.jsonl: 1 of " in warning) == (
            place in trial_lines,
            place not in trial_lines,  # the last trial has a record, and the times are in the lines that follow
        )
        (path / "journal.jsonl").write_bytes(journal)


def test_time_line_that_is_missing_at_the_end_is_taken_from_the_report(tmp_path, capsys):
    path = tmp_path / "session"
    found = searched(path, max_trials=2)
    found.folder.journal.append({"event": "time", "spent_s": 70.0})
    files.write_json(found.folder.report_file, {"spent_s": 70.0})
    without_line(path / "journal.jsonl", -1)
    assert found.folder.spent_s() < 70.0
    again = searched(path, max_trials=2)
    assert (again.folder.spent_s(), told(again)) == (70.0, told(found))
    assert "70 s" in capsys.readouterr().err
    searched(path, max_trials=2)
    assert capsys.readouterr().err == ""


def test_record_of_a_trial_that_the_journal_does_not_begin_is_an_error(tmp_path):
    path = tmp_path / "session"
    searched(path, max_trials=2)
    for _ in range(2):
        without_line(path / "journal.jsonl", -1)
    with pytest.raises(errors.DamagedError, match=r"^session_dir=.*: journal\.jsonl: .*begins trial 1,.*; restore it"):
        searched(path, max_trials=2)
    (path / "journal.jsonl").unlink()
    with pytest.raises(errors.DamagedError, match=r"begins trial 0,"):
        searched(path, max_trials=2)


def test_record_that_is_missing_is_named_and_its_objective_is_that_of_the_journal(tmp_path, capsys):
    path, whole = tmp_path / "session", searched(tmp_path / "whole", tuner="hyperband")
    searched(path, tuner="hyperband")
    assert capsys.readouterr().err == ""
    (path / "trials" / f"{told(whole)[0][0]}.json").unlink()
    again = searched(path, tuner="hyperband")
    assert told(again) == told(whole)[1:]
    line = capsys.readouterr().err
    assert (line.count("\n"), line.startswith(f"warning: session_dir={path}: trials/")) == (1, True)
    assert "restore the file" in line


def numbered(path, numbers):
    """A journal of lines with these numbers."""
    events = [
        {"event": "time", "spent_s": 1.0} | ({"line": number} if number is not None else {}) for number in numbers
    ]
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    return Journal(path)


@pytest.mark.parametrize(("numbers", "missing"), [([1, 2, 3], 0), ([1, 4], 2), ([2, 3], 1), ([None, None, 3, 5], 1)])
def test_lines_that_are_missing_are_counted(tmp_path, numbers, missing):
    assert numbered(tmp_path / "journal.jsonl", numbers).num_missing() == missing


@pytest.mark.parametrize(("numbers", "line"), [([1, 2, 2], 3), ([1, 2, 2, 4], 3), ([1, 3, 2], 3), ([0, 1], 1)])
def test_line_that_is_repeated_or_misplaced_is_damage(tmp_path, numbers, line):
    with pytest.raises(errors.DamagedError, match=rf"journal\.jsonl is damaged \(line {line}: "):
        numbered(tmp_path / "journal.jsonl", numbers).events()


def test_journal_of_an_earlier_version_without_numbers_is_continued(tmp_path, capsys):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "time", "spent_s": 1.0}\n{"event": "time", "spent_s": 2.0}\n')
    journal = Journal(path)
    for spent_s in (3.0, 4.0):
        journal.append({"event": "time", "spent_s": spent_s})
    assert [event.get("line") for event in journal.events()] == [None, None, 3, 4]
    assert journal.num_missing() == 0
    without_line(path, 2)
    assert Journal(path).num_missing() == 1
    Journal(path).append({"event": "time", "spent_s": 5.0})
    assert [event.get("line") for event in Journal(path).events()] == [None, None, 4, 5]
