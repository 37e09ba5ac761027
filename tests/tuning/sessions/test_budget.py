"""What a session of so many minutes or petaflop expects to take, and where it ends."""

import dataclasses
import time

import pytest

from models.runs.folder import RunFolder
from pipeline.common import errors
from tests.models.reporting import run_files
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import SOURCE, searched, told
from tuning.sessions import search, session
from tuning.sessions.budget import FLOAT32_FACTOR, Budget
from tuning.sessions.config import SessionConfig
from tuning.sessions.folder import SessionFolder, ranked
from tuning.sessions.search_space import Space


def test_budget_expects_a_full_trial_and_what_comes_after(tmp_path):
    found = searched(tmp_path / "session", max_minutes=10.0)
    slow = {"seconds": 9.0, "train_seconds": 6.0, "epochs": 2.0}
    fast = {"seconds": 5.0, "train_seconds": 4.0, "epochs": 2.0}
    best, *others = ranked(found.folder.records())
    for record in others:
        found.folder.write_record({**record, **slow, "objective": 0.1})
    found.folder.write_record({**best, **fast})
    found.folder.write_record({**others[0], **fast, "objective": 0.2})
    found.folder.write_record({**others[1], **fast, "objective": 0.2})
    trial = 3.0 + 3 * 3.0  # what lies beside its epochs, and they, as slow as any
    assert Budget(found, 0).expected_seconds() == pytest.approx(trial)
    again = 2 * (1.0 + 2.0 * 10.0)  # linear's own ten epochs, tuned and untuned, as in the better three of six
    assert Budget(found, 3).expected_seconds() == pytest.approx(trial + 3 * again)
    again += FLOAT32_FACTOR * (1.0 + 2.0 * 10.0)
    assert Budget(found, 3, has_controls=True).expected_seconds() == pytest.approx(trial + 3 * again)
    assert Budget(found, 3).allows_another()
    for record in found.folder.records():
        found.folder.write_record({**record, "seconds": 800.0, "train_seconds": 700.0})
    assert not Budget(found, 0).allows_another()


def test_budget_counts_the_trunks_that_are_still_to_be_trained(tmp_path):
    found = searched(tmp_path / "session", max_minutes=10.0)
    for record in found.folder.records():
        found.folder.write_record({**record, "seconds": 5.0, "train_seconds": 4.0, "epochs": 2.0})
    found.space = dataclasses.replace(found.space, has_frozen_trunk=True)
    run = RunFolder(found.folder.trunk_dir)
    run.path.mkdir()
    run.write_report({**run_files.REPORT, "train_seconds": 50.0})
    trial = 1.0 + 3 * 2.0
    assert Budget(found, 0).expected_seconds() == pytest.approx(trial)
    assert Budget(found, 3).expected_seconds() == pytest.approx(trial + 3 * trial + 2 * 50.0)
    longer = 50.0 * (10 + 3) / 10  # the whole network, for its own ten epochs and the heads' three
    controls = 3 * (longer + FLOAT32_FACTOR * trial)
    expected = Budget(found, 3, has_controls=True).expected_seconds()
    assert expected == pytest.approx(trial + 3 * trial + 2 * 50.0 + controls)


def test_time_of_a_call_that_was_cut_off_counts(tmp_path, monkeypatch):
    found = searched(tmp_path / "session", max_trials=1)
    used = found.folder.spent_s()
    monkeypatch.setattr(time, "perf_counter", lambda: 5000.0)
    budget = Budget(found, 0, began=4980.0)
    budget.keep(at_once=True)
    assert found.folder.spent_s() == pytest.approx(used + 20.0, abs=0.05)  # tenths of a second are written
    before = len(found.folder.journal.events())
    budget.keep()
    assert len(found.folder.journal.events()) == before


def test_trial_under_way_at_the_end_of_the_minutes_is_saved_and_continues_with_more(tmp_path, monkeypatch, capsys):
    """Not as mljar/mljar-supervised#521 and nginyc/rafiki#180, whose searches outlast their budgets."""
    undisturbed, path = searched(tmp_path / "whole"), tmp_path / "session"
    with monkeypatch.context() as short:
        short.setattr(Budget, "left", lambda self: 0.0 if (path / "runs" / "2" / "waits").exists() else 1e6)
        found = searched(path, stub_training.train_but_wait_in_the_third_call, max_minutes=1.0)
    assert "max_minutes=1: used up" in capsys.readouterr().out
    assert told(found) == told(undisturbed)[:2]
    assert (path / "runs" / "2" / "saved").exists()
    assert found.folder.journal.events()[-1]["event"] == "time"
    again = searched(path, max_minutes=5.0)
    assert told(again) == told(undisturbed)


def test_hyperband_that_repeated_its_brackets_ends_with_one_where_no_minutes_are_given_any_more(tmp_path, monkeypatch):
    path = tmp_path / "session"
    with monkeypatch.context() as short:
        short.setattr(Budget, "left", lambda self: 0.0 if len(list(path.glob("trials/*"))) > 7 else 1e9)
        before = told(searched(path, tuner="hyperband", max_minutes=1.0))  # a bracket of each size makes 6 trials
    assert len(before) == 8
    again = told(searched(path, tuner="hyperband"))
    assert (again[:8], len(again)) == (before, 12)  # the brackets that were begun end
    assert told(searched(path, tuner="hyperband")) == again


def test_minutes_run_from_the_begin_of_the_call_and_leave_time_for_the_report(tmp_path, monkeypatch):
    found = searched(tmp_path / "session", max_trials=1, max_minutes=10.0)
    used = found.folder.spent_s()
    monkeypatch.setattr(time, "perf_counter", lambda: 5000.0)
    budget = Budget(found, 0, began=4700.0)
    assert budget.left() == pytest.approx(600.0 - 10.0 - 300.0 - used)
    budget.check(reserved=100.0)
    with pytest.raises(errors.InterruptedRunError, match=r"max_minutes=10: 5 min left, .* about 6 min"):
        budget.check(reserved=360.0)
    found.config = dataclasses.replace(found.config, max_minutes=0.1)
    assert Budget(found).left() == pytest.approx(5.4 - used)


HEADS = {"preset": "quick", "num_validation": 500, "freeze_trunk": True}


def heads_searched(path, train, **values):
    config = SessionConfig(space="mine", tuner="random", max_trials=1, max_epochs=1, **values)
    space = Space("mine", lambda hp: {"fine_dropout": hp.Choice("fine_dropout", [0.1])}, HEADS, has_frozen_trunk=True)
    with session.open_session(path, config, space, SOURCE) as found:
        search.run(found, train)


def test_trunk_is_announced_and_shown_and_ends_with_the_minutes(tmp_path, monkeypatch, capsys):
    path = tmp_path / "session"
    monkeypatch.setattr(Budget, "left", lambda self: 0.0 if (path / "trunk" / "metrics.jsonl").exists() else 50.0)
    began = time.monotonic()
    heads_searched(path, stub_training.train_until_asked_to_end, max_minutes=3.0)
    printed = capsys.readouterr().out
    assert "training the trunk, the preset quick, 5 epochs, in --max_minutes=3; " in printed
    assert "max_minutes=3: used up" in printed
    verbose, deadline = (path / "trunk" / "saved").read_text().split()
    assert verbose == "verbose=2"
    assert float(deadline) >= began + 50.0
    assert SessionFolder(path).spent_s() > 0.0


def test_what_is_not_saved_in_time_is_killed(tmp_path, monkeypatch, capsys):
    path = tmp_path / "session"
    monkeypatch.setattr(Budget, "left", lambda self: 0.0 if (path / "trunk" / "metrics.jsonl").exists() else 50.0)
    monkeypatch.setattr(Budget, "saving_seconds", lambda self: 0.0)
    heads_searched(path, stub_training.train_a_trunk_and_never_save, max_minutes=3.0)
    assert "max_minutes=3: used up" in capsys.readouterr().out
    assert not (path / "trunk" / "saved").exists()


def test_petaflop_end_a_search_between_trials_and_more_of_them_continue_it(tmp_path, capsys):
    """The stub's trials take 0.25 petaflop each."""
    undisturbed, path = searched(tmp_path / "whole"), tmp_path / "session"
    found = searched(path, max_petaflop=1.1)
    assert told(found) == told(undisturbed)[:4]
    assert found.folder.spent_petaflop() == pytest.approx(1.0)
    assert "max_petaflop=1.1: 1 used" in capsys.readouterr().out
    again = searched(path, max_petaflop=1.1)
    assert told(again) == told(found)
    assert told(searched(path, max_petaflop=1.25)) == told(undisturbed)[:5]
    assert told(searched(path)) == told(undisturbed)


def test_another_trial_is_as_costly_as_any_and_leaves_room_for_those_under_way(tmp_path):
    found = searched(tmp_path / "session", max_trials=2)
    first, second = found.folder.records()
    found.folder.write_record({**first, "train_petaflop": 0.6, "epochs": 2.0})
    found.folder.write_record({**second, "train_petaflop": 0.1, "epochs": 2.0})

    def allows(petaflop, num_under_way=0, num_retrained=0, has_controls=False):
        found.config = dataclasses.replace(found.config, max_petaflop=petaflop)
        return Budget(found, num_retrained, has_controls=has_controls).allows_another(num_under_way)

    of_full_length = 3 * 0.3  # max_epochs is 3
    assert [allows(0.69 + of_full_length), allows(0.71 + of_full_length)] == [False, True]
    assert [allows(0.69 + 3 * of_full_length, 2), allows(0.71 + 3 * of_full_length, 2)] == [False, True]
    retrained = 2 * 10.0 * 0.05  # linear's own ten epochs, tuned and untuned, as in the better one
    whole = 0.7 + of_full_length + retrained
    assert [allows(whole - 0.01, 0, 1), allows(whole + 0.01, 0, 1), allows(0.0)] == [False, True, True]
    whole += retrained / 2  # the trial in float32
    assert [allows(whole - 0.01, 0, 1, True), allows(whole + 0.01, 0, 1, True)] == [False, True]


def test_petaflop_of_trunk_retraining_and_failed_trials_count(tmp_path):
    found = searched(tmp_path / "session", max_trials=2)
    first, second = found.folder.records()
    found.folder.write_record({**first, "train_petaflop": 0.5, "seconds": 10.0})
    failed = {name: second[name] for name in ("id", "hyperparameters")}
    found.folder.write_record({**failed, "seconds": 4.0, "status": "FAILED", "reason": "fine_loss is nan"})
    for name in ("trunk", "retrained/tuned-0-seed-1", "retrained/untuned-seed-1", "retrained/trial-0"):
        run = RunFolder(found.folder.path / name)
        run.path.mkdir(parents=True)
        run.write_report({**run_files.REPORT, "train_petaflop": 1.0})  # trial-0 is a person's own run
    assert found.folder.spent_petaflop() == pytest.approx(0.5 + 4.0 * 0.05 + 3 * 1.0)
