"""Sessions in turns, over loopback, and with one thread each."""

import os

import pytest

from benchmarks.tuner import cases
from pipeline.common import errors
from pipeline.data_config import SourceConfig


@pytest.mark.parametrize("with_loopback", [True, False])
def test_sessions_of_a_round_take_turns_in_folders_of_their_own(tmp_path, monkeypatch, with_loopback):
    began = []

    def run(path, source, trials, workers):
        assert trials == 8
        began.append(path)
        return {}

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


def test_worker_over_loopback_trains_the_chiefs_trials(tmp_path):
    source = cases.prepared(tmp_path)
    said = cases.run_over_loopback(tmp_path / "session", source, trials=1, workers=1)
    assert [record["status"] for record in said["records"]] == ["COMPLETED"]
    assert said["seconds"] > 0.0


def test_worker_over_loopback_that_fails_ends_the_measurement(tmp_path):
    (tmp_path / "file").touch()
    source = SourceConfig(dataset="shapes100_tiny", data_dir=str(tmp_path / "file" / "data"))
    with pytest.raises(errors.FailedError, match=r"session_chief: exit code 2: error: data_dir=.*expected a folder"):
        cases.run_over_loopback(tmp_path / "session", source, trials=3, workers=1)
