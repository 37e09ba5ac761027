"""The rows that the tuner's benchmark makes of a session, and what the kills compare."""

import json
import os
import random

import pytest

from benchmarks.tuner import cases
from benchmarks.tuner import rows as tuner_rows
from benchmarks.tuner_kills import kill_test
from pipeline.common import errors
from pipeline.data_config import SourceConfig


def measured(num_trials: int, seconds: float, mib_at_the_end: float = 110.0) -> dict:
    records = [{"overhead_seconds": 0.5 + 0.1 * (number % 3)} for number in range(num_trials)]
    samples = [(ended, 100.0) for ended in range(4)] + [(num_trials - 2, mib_at_the_end), (num_trials, 900.0)]
    return {"seconds": seconds, "records": records, "samples": samples}


def test_rows_of_one_worker_and_of_two():
    loopback = {1: measured(20, 80.0), 2: measured(20, 50.0)}
    rounds = [
        {"workers": {1: measured(20, 60.0), 2: measured(20, 30.0)}, "loopback": loopback},
        {"workers": {1: measured(20, 72.0, 106.0), 2: measured(20, 45.0)}, "loopback": loopback},
    ]
    by_name = {row.name: row for row in tuner_rows.rows(rounds)}
    one, two = by_name["ours/tuner/workers_1"], by_name["ours/tuner/workers_2"]
    assert (one.median, one.min, one.max, one.repeats) == (1100.0, 1000.0, 1200.0, 2)
    assert (two.median, two.ratio) == (2000.0, 1.8)  # of 2.0 and 1.6, each within its round
    assert two.ratio_of == ["ours/tuner/workers_2", "ours/tuner/workers_1"]
    assert by_name["ours/tuner/loopback_2"].ratio == 1.6
    assert by_name["ours/tuner/loopback_2"].ratio_of == ["ours/tuner/loopback_2", "ours/tuner/loopback_1"]
    assert by_name["ours/tuner/overhead/mean"].median == pytest.approx(0.595)
    assert by_name["ours/tuner/overhead/most"].median == pytest.approx(0.7)
    end = by_name["ours/tuner/memory/end"]
    assert (end.min, end.max, end.ratio) == (106.0, 110.0, 1.08)  # 900 MiB came after the last trial


def test_no_round_no_rows_and_no_loopback_none_of_it():
    assert tuner_rows.rows([]) == []
    rows = tuner_rows.rows([{"workers": {1: measured(20, 60.0)}, "loopback": {}}])
    assert [row.name for row in rows if "loopback" in row.name] == []
    assert [row.median for row in rows if "workers" in row.name] == [1200.0]


@pytest.mark.parametrize("with_loopback", [True, False])
def test_sessions_of_a_round_take_turns_in_folders_of_their_own(tmp_path, monkeypatch, with_loopback):
    began = []

    def run(path, source, trials, workers):
        assert trials == 8
        began.append(path)
        return measured(trials, 60.0 / workers)

    monkeypatch.setattr(cases, "run", run)
    monkeypatch.setattr(cases, "run_over_loopback", run)
    source = SourceConfig(dataset="shapes100_tiny", data_dir=str(tmp_path))
    said = cases.run_round(tmp_path / "round", source, 8, (1, 2), with_loopback)
    kinds = ("workers", "loopback") if with_loopback else ("workers",)
    assert [path.name for path in began] == [f"{kind}_{number}" for number in (1, 2) for kind in kinds]
    assert {path.parent for path in began} == {tmp_path / "round"}
    assert {kind: list(of_kind) for kind, of_kind in said.items()} == {
        "workers": [1, 2],
        "loopback": [1, 2] if with_loopback else [],
    }


def test_processes_of_a_session_have_one_thread_and_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    monkeypatch.delenv("TF_NUM_INTEROP_THREADS", raising=False)
    with cases.one_thread_each():
        assert (os.environ["TF_NUM_INTRAOP_THREADS"], os.environ["TF_NUM_INTEROP_THREADS"]) == ("1", "1")
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "3"
    assert "TF_NUM_INTEROP_THREADS" not in os.environ


def test_chief_and_workers_over_loopback_share_the_trials(tmp_path):
    source = cases.prepared(tmp_path)
    said = cases.run_over_loopback(tmp_path / "session", source, trials=3, workers=2)
    assert sorted(record["status"] for record in said["records"]) == ["COMPLETED"] * 3
    assert said["seconds"] > 0.0


def test_worker_over_loopback_that_fails_ends_the_measurement(tmp_path):
    (tmp_path / "file").touch()
    source = SourceConfig(dataset="shapes100_tiny", data_dir=str(tmp_path / "file" / "data"))
    with pytest.raises(errors.FailedError, match=r"session_chief: exit code 2: error: --data_dir=.*cannot be written"):
        cases.run_over_loopback(tmp_path / "session", source, trials=3, workers=1)


TRIALS = [{"id": str(number), "objective": 0.1 * number} for number in range(3)]


def session(path, trials=TRIALS, ends=("0", "1", "2")):
    path.mkdir()
    names = ("status", "hyperparameters", "fine", "coarse", "epochs")
    (path / "report.json").write_text(json.dumps({"trials": [dict.fromkeys(names) | trial for trial in trials]}))
    events = [{"event": "end", "trial": trial, "spent_s": 1.0} for trial in ends]
    (path / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_same_sessions_are_the_same(tmp_path):
    expected = kill_test.trials(session(tmp_path / "one"))
    kill_test.compare(expected, session(tmp_path / "two", ends=("2", "0", "1")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": TRIALS[:2]}, "3 trials and 2"),
        ({"trials": [*TRIALS[:2], {"id": "2", "objective": 0.5}]}, r"0\.2.* and .*0\.5"),
        ({"ends": ("0", "1", "1", "2")}, "the trials' ends: 0, 1, 1, 2; expected each once"),
    ],
)
def test_lost_changed_and_repeated_trials_are_found(tmp_path, changes, message):
    expected = kill_test.trials(session(tmp_path / "one"))
    with pytest.raises(errors.FailedError, match=message):
        kill_test.compare(expected, session(tmp_path / "two", **changes))


def test_only_kills_before_the_end_count(tmp_path, monkeypatch):
    """Sessions of three calls: the first two are killed, the third one ends first."""
    outcomes, counted = iter([True, True, False, True]), []

    def killed_after(seconds, command):
        was_killed = next(outcomes)
        if not was_killed:
            session(tmp_path / "one")
        return was_killed

    monkeypatch.setattr(kill_test, "was_killed_after", killed_after)
    monkeypatch.setattr(kill_test, "finish", lambda command: None)
    sessions = kill_test.Sessions(tmp_path, "random", 3)
    left = sessions.disturb("one", random.Random(0), 1.0, 5, lambda: counted.append(1))
    assert (left, len(counted)) == (3, 2)
