"""A search trains each trial once, goes on after any end, and says in one line what went wrong."""

import signal
import subprocess
import sys

import pytest
import tensorflow as tf
from tensorboard.plugins.hparams import plugin_data_pb2

from pipeline.common import errors
from tests.conftest import ROOT
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import calls, searched, told
from tuning.sessions.config import TUNERS
from tuning.sessions.folder import COMPLETED, FAILED, ranked


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
        (stub_training.train_to_no_number, "the objective is nan"),
    ],
)
def test_session_in_which_nothing_works_ends_early(train, reason, tmp_path):
    with pytest.raises(errors.FailedError, match=f"5 trials in a row failed, the last one: {reason}"):
        searched(tmp_path / "session", train, max_trials=20)
    assert len(list((tmp_path / "session" / "trials").iterdir())) == 5


def test_full_disk_ends_the_session_and_keeps_the_trial(tmp_path):
    path = tmp_path / "session"
    with pytest.raises(errors.WriteError, match=rf"^session_dir={path}: run_dir={path}/runs/0: .*No space left"):
        searched(path, stub_training.train_but_fill_the_disk)
    assert not (path / "trials").exists()
    assert (path / "runs" / "0").exists()
    assert [record["status"] for record in searched(path).folder.records()] == [COMPLETED] * 6
    assert calls(path).count("0-seed-0") == 2


def test_two_workers_find_what_one_does(tmp_path):
    one = searched(tmp_path / "one", tuner="grid", max_trials=10)
    two = searched(tmp_path / "two", tuner="grid", max_trials=10, workers=2)
    assert {(str(values), objective) for _, _, values, objective in told(two)} == {
        (str(values), objective) for _, _, values, objective in told(one)
    }
    assert len(told(two)) == 10


def test_trial_whose_end_the_oracle_did_not_hear_of_is_not_trained_again(tmp_path):
    path = tmp_path / "session"
    found = searched(path)
    lines = (path / "journal.jsonl").read_text().splitlines(keepends=True)
    (path / "journal.jsonl").write_text("".join(lines[:-1]))
    assert told(searched(path)) == told(found)
    assert len(calls(path)) == 6


PROGRAM = """
import pathlib, signal, sys
from tests.binaries import signal_at
from tests.tuning.sessions.small_sessions import searched
signal_at(signal.SIGKILL, "trials/3.json")
searched(pathlib.Path(sys.argv[1]), max_trials=8)
"""


def test_killed_session_goes_on_to_the_same_end(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "killed")]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    killed, undisturbed = (searched(tmp_path / name, max_trials=8) for name in ("killed", "whole"))
    assert told(killed) == told(undisturbed)
    assert sorted(calls(tmp_path / "killed")) == sorted(calls(tmp_path / "whole"))


def test_value_that_a_trial_leaves_unread_is_dropped_and_recorded(tmp_path):
    def optimizers(hp):
        return {"optimizer": hp.Choice("optimizer", ["sgd", "adam"]), "momentum": hp.Choice("momentum", [0.5])}

    records = searched(tmp_path / "session", choose=optimizers, tuner="grid", max_trials=2).folder.records()
    unread = {record["config"]["optimizer"]: record["unread"] for record in records}
    assert unread == {"sgd": [], "adam": ["momentum"]}
    assert {"momentum" in record["config"] for record in records} == {True, False}
