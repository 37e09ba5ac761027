"""A search trains each trial once, goes on after any end, and says in one line what went wrong."""

import dataclasses
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf
from tensorboard.plugins.hparams import plugin_data_pb2

from models.runs import folder as run_folder
from models.runs.folder import RunFolder
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from tests.conftest import ROOT
from tests.tuning import stub_training
from tuning.sessions import search, session
from tuning.sessions.folder import COMPLETED, FAILED, SessionFolder, ranked
from tuning.sessions.jobs import TUNERS, SessionConfig, objective
from tuning.sessions.journal import Journal
from tuning.sessions.search_space import Space
from tuning.sessions.time_budget import Budget

SOURCE = SourceConfig(dataset="shapes100_tiny")
BASE = {"preset": "linear", "num_validation": 500}


def choose(hp):
    return {
        "learning_rate": hp.Float("learning_rate", 0.1, 0.5, step=0.1),
        "coarse_loss_weight": hp.Choice("coarse_loss_weight", [0.5, 1.0]),
    }


def searched(path, train=stub_training.train_as_well_as_the_rate, choose=choose, base=BASE, **values):
    config = SessionConfig(**{"space": "mine", "tuner": "random", "max_trials": 6, "max_epochs": 3, **values})
    with session.open_session(path, config, Space("mine", choose, base), SOURCE) as found:
        search.run(found, train)
        return found


def told(found):
    return [
        (record["id"], record["status"], record["hyperparameters"], record.get("objective"))
        for record in found.folder.records()
    ]


def calls(path: pathlib.Path) -> list[str]:
    return (path / "calls.txt").read_text().split()


@pytest.mark.parametrize("tuner", TUNERS)
def test_each_trial_is_trained_once_and_never_again(tuner, tmp_path):
    found = searched(tmp_path / "session", tuner=tuner)
    again = searched(tmp_path / "session", tuner=tuner)
    assert told(again) == told(found)
    assert sorted(calls(tmp_path / "session")) == sorted(f"{record['id']}-seed-0" for record in found.folder.records())
    assert {record["status"] for record in found.folder.records()} == {COMPLETED}
    assert not list((tmp_path / "session" / "runs").iterdir())
    best = ranked(found.folder.records())[0]
    assert best["objective"] == pytest.approx(0.5 + 0.1 - abs(best["hyperparameters"]["learning_rate"] - 0.3))


def test_trials_are_logged_for_tensorboards_hparams_page(tmp_path):
    found = searched(tmp_path / "session", stub_training.train_but_fail_every_other)
    logged = {}
    for path in (tmp_path / "session" / "tensorboard").glob("*/*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                logged.setdefault(path.parent.name, {})[value.tag] = value
    completed = ranked(found.folder.records())
    assert set(logged) == {record["id"] for record in completed}
    for record in completed:
        values = logged[record["id"]]
        assert float(tf.make_ndarray(values["objective"].tensor)) == pytest.approx(record["objective"])
        start = plugin_data_pb2.HParamsPluginData.FromString(
            values["_hparams_/session_start_info"].metadata.plugin_data.content
        ).session_start_info
        assert start.hparams["learning_rate"].number_value == record["hyperparameters"]["learning_rate"]


def test_hyperbands_rungs_are_whole_trainings_of_their_epochs(tmp_path):
    found = searched(tmp_path / "session", tuner="hyperband")
    epochs = {record["config"]["epochs"] for record in found.folder.records()}
    assert epochs == {1.0, 3.0}
    assert all(record["epochs"] == record["hyperparameters"]["tuner/epochs"] for record in found.folder.records())


@pytest.mark.parametrize(
    ("name", "weight", "expected"),
    [("fine", 0.5, 0.4), ("coarse", 0.5, 0.6), ("both", 0.5, 0.5), ("both", 0.75, 0.45)],
)
def test_objective_is_of_the_last_epoch_on_validation(name, weight, expected):
    report = stub_training.outcome(None, accuracy=0.4)["report"]
    config = SessionConfig(objective=name, fine_weight=weight)
    assert objective(config, report) == pytest.approx(expected)
    with pytest.raises(errors.FailedError, match="split=test: expected validation"):
        objective(config, {**report, "split": "test"})


def test_network_that_does_not_answer_what_is_asked_fails(tmp_path):
    report = stub_training.outcome(None, coarse_from_fine_accuracy=None)["report"]
    with pytest.raises(errors.FailedError, match=r"objective=both: .* only the fine accuracy"):
        objective(SessionConfig(), report)


def test_trials_that_fail_are_told_and_passed_over(tmp_path):
    found = searched(tmp_path / "session", stub_training.train_but_fail_every_other)
    failed = [record for record in found.folder.records() if record["status"] == FAILED]
    assert [record["id"] for record in failed] == ["1", "3", "5"]
    assert {record["reason"] for record in failed} == {"MemoryError: no room for the network"}
    assert len(ranked(found.folder.records())) == 3


@pytest.mark.parametrize("tuner", ["random", "hyperband"])
def test_trial_of_a_killed_worker_is_tried_again_and_nothing_differs(tuner, tmp_path):
    undisturbed = searched(tmp_path / "whole", tuner=tuner)
    killed = searched(tmp_path / "killed", stub_training.train_but_be_killed_thrice, tuner=tuner)
    assert told(killed) == told(undisturbed)
    assert calls(tmp_path / "killed").count(f"{told(killed)[1][0]}-seed-0") == 4
    undisturbed_events, events = undisturbed.folder.journal.events(), killed.folder.journal.events()
    assert [{**event, "spent_s": 0} for event in events] == [{**event, "spent_s": 0} for event in undisturbed_events]


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        (stub_training.train_and_fail, "fine_loss is nan, expected a number"),
        (stub_training.train_to_no_number, "its objective is nan"),
    ],
)
def test_session_in_which_nothing_works_ends_early(train, reason, tmp_path):
    with pytest.raises(errors.FailedError, match=f"5 trials in a row failed, the last one: {reason}"):
        searched(tmp_path / "session", train, max_trials=20)
    assert len(list((tmp_path / "session" / "trials").iterdir())) == 5


def test_full_disk_ends_the_session_and_keeps_the_trial(tmp_path):
    path = tmp_path / "session"
    with pytest.raises(errors.FailedError, match=r"OSError: No space left on device; make room, then give the same"):
        searched(path, stub_training.train_but_fill_the_disk)
    assert not (path / "trials").exists()
    assert (path / "runs" / "0").exists()
    assert [record["status"] for record in searched(path).folder.records()] == [COMPLETED] * 6
    assert calls(path).count("0-seed-0") == 2


def test_journal_that_cannot_be_written_is_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "session"
    found = searched(path, max_trials=2)
    before = (path / "journal.jsonl").read_bytes()
    with monkeypatch.context() as full:
        full.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            found.folder.journal.append({"event": "time", "spent_s": 1.0})
    assert (path / "journal.jsonl").read_bytes() == before


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
    run.write_report({"train_seconds": 50.0})
    trial = 1.0 + 3 * 2.0
    assert Budget(found, 0).expected_seconds() == pytest.approx(trial)
    assert Budget(found, 3).expected_seconds() == pytest.approx(trial + 3 * trial + 2 * 50.0)


def test_time_of_a_call_that_was_cut_off_counts(tmp_path):
    found = searched(tmp_path / "session", max_trials=1)
    budget = Budget(found, 0)
    spent = budget.spent()
    budget.keep(at_once=True)
    assert found.folder.spent_s() == pytest.approx(spent, abs=0.2)
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


def test_minutes_run_from_the_begin_of_the_call_and_leave_time_for_the_report(tmp_path):
    found = searched(tmp_path / "session", max_trials=1, max_minutes=10.0)
    used, began = found.folder.spent_s(), time.perf_counter() - 300.0
    budget = Budget(found, 0, began)
    assert budget.left() == pytest.approx(600.0 - 10.0 - 300.0 - used, abs=5.0)
    budget.check(reserved=100.0)
    with pytest.raises(errors.InterruptedRunError, match="max_minutes=10: used up"):
        budget.check(reserved=300.0)
    found.config = dataclasses.replace(found.config, max_minutes=0.1)
    assert Budget(found).left() <= 5.4 - used


HEADS = {"preset": "quick", "num_validation": 500, "freeze_trunk": True}


def heads_searched(path, train, **values):
    config = SessionConfig(space="mine", tuner="random", max_trials=1, max_epochs=1, **values)
    space = Space("mine", lambda hp: {"fine_dropout": hp.Choice("fine_dropout", [0.1])}, HEADS, has_frozen_trunk=True)
    with session.open_session(path, config, space, SOURCE) as found:
        search.run(found, train)


def test_trunk_is_announced_and_shown_and_ends_with_the_minutes(tmp_path, monkeypatch, capsys):
    path = tmp_path / "session"
    monkeypatch.setattr(Budget, "left", lambda self: 0.0 if (path / "trunk" / "metrics.jsonl").exists() else 50.0)
    began = time.time()
    heads_searched(path, stub_training.train_a_trunk_for_ever, max_minutes=3.0)
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


def test_two_workers_find_what_one_does(tmp_path):
    one = searched(tmp_path / "one", tuner="grid", max_trials=10)
    two = searched(tmp_path / "two", tuner="grid", max_trials=10, workers=2)
    assert {(str(values), objective) for _, _, values, objective in told(two)} == {
        (str(values), objective) for _, _, values, objective in told(one)
    }
    assert len(told(two)) == 10


def broken(hp):
    raise KeyError("units")


@pytest.mark.parametrize(
    ("choose", "base", "message"),
    [
        (broken, BASE, "space=mine: KeyError: 'units'"),
        (lambda hp: {}, BASE, "space=mine: expected hyperparameters"),
        (lambda hp: None, BASE, "space=mine: expected a dictionary .*None"),
        (lambda hp: {"learning_rat": hp.Choice("a", [0.1])}, BASE, "unknown field 'learning_rat'; did you mean"),
        (lambda hp: {"learning_rate": hp.Choice("a", [-1.0])}, BASE, "learning_rate=-1.0: expected"),
        (choose, {**BASE, "preset": "quik"}, "preset='quik': expected one of"),
        (choose, {**BASE, "num_validation": 0}, "num_validation=0; a search chooses on validation"),
        (choose, {**BASE, "heads": "coarse"}, "objective=both: .*coarse head"),
        (choose, {**BASE, "epochs": 3.0}, "sets 'epochs', which the session sets"),
        (lambda hp: {"seed": hp.Choice("seed", [1, 2])}, BASE, "sets 'seed', which the session sets"),
        (choose, {**BASE, "dropout": 0.1}, "dropout=0.1: --architecture=linear does not read it"),
        (choose, {**BASE, "optimizer": "adam", "momentum": 0.7}, "momentum=0.7: --optimizer=adam does not read it"),
    ],
)
def test_wrong_space_is_one_clear_line_before_any_work(choose, base, message, tmp_path):
    with pytest.raises(errors.BadArgumentError, match=message):
        searched(tmp_path / "session", choose=choose, base=base)
    assert not (tmp_path / "session" / "session.json").exists()


def test_folder_of_another_session_or_space_is_refused(tmp_path):
    searched(tmp_path / "session")
    before = sorted((tmp_path / "session").rglob("*"))
    with pytest.raises(
        errors.BadArgumentError,
        match="belongs to another session: tuner='random' there, tuner='grid' given",
    ):
        searched(tmp_path / "session", tuner="grid")
    with pytest.raises(errors.BadArgumentError, match="another hyperparameters"):
        searched(tmp_path / "session", choose=lambda hp: {"learning_rate": hp.Choice("learning_rate", [0.1, 0.2])})
    with pytest.raises(errors.BadArgumentError, match="expected a new folder or a session's"):
        searched(tmp_path)
    assert sorted((tmp_path / "session").rglob("*")) == before


@pytest.mark.parametrize("is_under_way", [False, True])
def test_space_that_makes_another_trial_of_the_same_values_is_refused(is_under_way, tmp_path):
    """Such as one that computes with a module beside it, which has changed; the defaults' trial is the same."""

    def scaled(factor):
        def choose(hp):
            rate = hp.Choice("rate", [0.1, 0.2])
            return {"learning_rate": factor * rate if rate > 0.1 else rate}

        return choose

    path = tmp_path / "session"
    found = searched(path, choose=scaled(1.0), tuner="grid", max_trials=2)
    if is_under_way:
        job = found.jobs.trial("1", {"rate": 0.2})
        with run_folder.open_locked(str(found.folder.run_dir("1")), job.config, job.identity):
            (path / "trials" / "1.json").unlink()
            lines = (path / "journal.jsonl").read_text().splitlines(keepends=True)
            (path / "journal.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(errors.BadArgumentError, match=r"changed since trial 1, .*learning_rate=0\.2 there, 0\.4 given"):
        searched(path, choose=scaled(2.0), tuner="grid", max_trials=2)
    assert len(searched(path, choose=scaled(1.0), tuner="grid", max_trials=2).folder.records()) == 2


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


def test_trial_whose_end_the_oracle_did_not_hear_of_is_not_trained_again(tmp_path):
    path = tmp_path / "session"
    found = searched(path)
    lines = (path / "journal.jsonl").read_text().splitlines(keepends=True)
    (path / "journal.jsonl").write_text("".join(lines[:-1]))
    assert told(searched(path)) == told(found)
    assert len(calls(path)) == 6


PROGRAM = """
import pathlib, sys
from tests.tuning import stub_training
from tests.tuning.sessions.test_search import searched
searched(pathlib.Path(sys.argv[1]), stub_training.train_slowly, max_trials=8)
"""


def test_killed_session_goes_on_to_the_same_end(tmp_path):
    undisturbed = searched(tmp_path / "whole", max_trials=8)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "killed")]
    for number in range(1, 3):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while len(list((tmp_path / "killed" / "trials").glob("*.json"))) < 2 * number:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0
    with session.open_session(
        tmp_path / "killed",
        SessionConfig(space="mine", tuner="random", max_trials=8, max_epochs=3),
        Space("mine", choose, BASE),
        SOURCE,
    ) as killed:
        assert told(killed) == told(undisturbed)
    ended = [f"{trial_id}-seed-0" for trial_id, *_ in told(undisturbed)]
    assert set(calls(tmp_path / "killed")) == set(ended)
    assert len(calls(tmp_path / "killed")) <= len(ended) + 2  # the two that were under way


def test_value_that_a_trial_leaves_unread_is_dropped_and_recorded(tmp_path):
    def optimizers(hp):
        return {"optimizer": hp.Choice("optimizer", ["sgd", "adam"]), "momentum": hp.Choice("momentum", [0.5])}

    records = searched(tmp_path / "session", choose=optimizers, tuner="grid", max_trials=2).folder.records()
    unread = {record["config"]["optimizer"]: record["unread"] for record in records}
    assert unread == {"sgd": [], "adam": ["momentum"]}
    assert {"momentum" in record["config"] for record in records} == {True, False}
