"""Workers on a chief's trials: each once, a killed worker's given to another, and the chief ends by itself."""

import contextlib
import dataclasses
import math
import os
import signal
import socket
import subprocess
import sys
import time
import types
from concurrent import futures

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial
from keras_tuner.src import protos

from pipeline.common import errors
from tests.conftest import ROOT
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import BASE, SOURCE, calls, choose, searched, told
from tuning.sessions import chief as service
from tuning.sessions import search, session
from tuning.sessions.config import SessionConfig
from tuning.sessions.folder import COMPLETED, SessionFolder
from tuning.sessions.oracles import journaled
from tuning.sessions.search_space import Space

CONFIG = SessionConfig(space="mine", tuner="grid", max_trials=8, max_epochs=3)
SPACE = Space("mine", choose, BASE)
PROGRAM = """
import pathlib, sys
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import SOURCE
from tests.tuning.sessions.test_chief import CONFIG, SPACE
from tuning.sessions import chief as service
from tuning.sessions import search, session

role, path, address, train = sys.argv[1:]
service.HEARTBEAT_SECONDS = 0.5
path, train = pathlib.Path(path), getattr(stub_training, train)
if role == "serve":
    with session.open_session(path, CONFIG, SPACE, SOURCE) as found:
        search.serve(found, address, train)
else:
    search.join(session.join_session(path, CONFIG, SPACE, SOURCE), address, train)
"""


@pytest.fixture
def start(tmp_path, address):
    running = []

    def started(role, train="train"):
        command = [sys.executable, "-c", PROGRAM, role, str(tmp_path / "session"), address, train]
        running.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_for(condition, process):
    """Wait for what a process does; one that has ended will not do it any more."""
    while not condition():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)


def interrupt_if_failed(worker: futures.Future) -> None:
    """End a chief of this process that would wait for ever for the workers of a thread."""
    if worker.exception():
        os.kill(os.getpid(), signal.SIGINT)


def is_open(address):
    host, port = address.split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_trial_of_a_killed_worker_goes_to_the_next_and_failing_trials_end_no_chief(
    start, address, tmp_path, monkeypatch
):
    path = tmp_path / "session"
    monkeypatch.setattr(service, "TIMEOUT_SECONDS", 4.0)
    monkeypatch.setattr(service, "HEARTBEAT_SECONDS", 0.5)

    def work() -> None:
        lost = start("join", "train_for_ever")
        wait_for((path / "calls.txt").exists, lost)
        lost.send_signal(signal.SIGKILL)
        joined = session.join_session(path, CONFIG, SPACE, SOURCE)
        search.join(joined, address, stub_training.train_but_fail_every_other)

    with futures.ThreadPoolExecutor(1) as other, session.open_session(path, CONFIG, SPACE, SOURCE) as found:
        workers = other.submit(work)
        workers.add_done_callback(interrupt_if_failed)
        search.serve(found, address, stub_training.train)
        workers.result()
        ended = told(found)
    assert len(ended) == 8
    assert [status for _, status, *_ in ended].count(COMPLETED) == 4
    assert calls(path).count("0-seed-0") >= 2  # more where the machine stops for four seconds


def test_killed_chief_goes_on_with_workers_that_live_and_finds_what_one_process_does(
    start, address, tmp_path, monkeypatch
):
    path = tmp_path / "session"
    monkeypatch.setattr(service, "TIMEOUT_SECONDS", 600.0)
    monkeypatch.setattr(service, "HEARTBEAT_SECONDS", 0.5)
    chief = start("serve")
    wait_for((path / "session.json").exists, chief)
    joined = session.join_session(path, dataclasses.replace(CONFIG, workers=2), SPACE, SOURCE)

    def let_trials_end() -> None:
        while not is_open(address):
            time.sleep(0.05)
        (path / "back").touch()

    with futures.ThreadPoolExecutor(2) as others:
        workers = others.submit(search.join, joined, address, stub_training.train_until_the_chief_is_back)
        workers.add_done_callback(interrupt_if_failed)
        wait_for(lambda: (path / "calls.txt").exists() and len(calls(path)) >= 2, chief)
        chief.send_signal(signal.SIGKILL)
        chief.wait()
        others.submit(let_trials_end)
        with session.open_session(path, CONFIG, SPACE, SOURCE) as found:
            search.serve(found, address, stub_training.train)
        workers.result()
    ended = told(found)
    alone = searched(tmp_path / "alone", tuner="grid", max_trials=8)
    assert sorted(str(one[2:]) for one in ended) == sorted(str(one[2:]) for one in told(alone))
    assert [status for _, status, *_ in ended] == [COMPLETED] * 8
    assert len(calls(path)) == 8  # none was taken from a worker that was at it
    assert len(list((path / "workers").iterdir())) == 2


def test_chief_of_a_finished_session_ends_without_workers(address, tmp_path, monkeypatch):
    searched(tmp_path / "session", tuner="grid", max_trials=8)
    monkeypatch.setattr(service, "TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(search, "FAREWELL_SECONDS", 0.0)
    with session.open_session(tmp_path / "session", CONFIG, SPACE, SOURCE) as found:
        search.serve(found, address, stub_training.train)


def test_signs_of_life_are_seen_by_the_chiefs_own_clock(tmp_path):
    """A folder whose clock is an hour off: what counts is that signs change."""
    now = [100.0]
    with session.open_session(tmp_path / "session", CONFIG, SPACE, SOURCE) as found:
        oracle = journaled.build(CONFIG, found.jobs.hyperparameters(), found.folder.journal)
        signs = service.Heartbeats(found, lambda: now[0])
        trial = oracle.create_trial("worker")
        for number in range(5):
            service.HeartbeatSender(found, ["worker"]).send()
            os.utime(tmp_path / "session" / "workers" / "worker", (1e6 + number, 1e6 + number))
            now[0] += 0.9 * service.TIMEOUT_SECONDS
            assert signs.requeue_timed_out(oracle) == []
        now[0] += 1.1 * service.TIMEOUT_SECONDS
        assert signs.requeue_timed_out(oracle) == ["worker"]
        assert oracle.create_trial("other").trial_id == trial.trial_id


def test_worker_without_a_chief_says_so(tmp_path, address, monkeypatch):
    monkeypatch.setattr(service, "RPC_SECONDS", 0.5)
    with (
        session.open_session(tmp_path / "session", CONFIG, SPACE, SOURCE) as found,
        pytest.raises(errors.FailedError, match=f"join={address}: the chief does not answer"),
    ):
        search.join(found, address, stub_training.train)


def test_worker_whose_chief_has_ended_with_the_minutes_ends_too(tmp_path, address, monkeypatch, capsys):
    monkeypatch.setattr(service, "RPC_SECONDS", 0.5)
    config = dataclasses.replace(CONFIG, max_minutes=0.5)  # less than the journal may be old
    with session.open_session(tmp_path / "session", config, SPACE, SOURCE) as found:
        search.join(found, address, stub_training.train)
    assert "the chief has ended" in capsys.readouterr().out


def test_full_disk_of_a_worker_is_not_taken_for_the_end_of_the_chief(tmp_path, address, monkeypatch):
    config = dataclasses.replace(CONFIG, max_minutes=1.0)
    with session.open_session(tmp_path / "session", config, SPACE, SOURCE) as found:
        oracle = journaled.build(config, found.jobs.hyperparameters(), found.folder.journal)
        oracle.close = lambda: None
        monkeypatch.setattr(service, "RemoteOracle", lambda *_: oracle)
        with pytest.raises(errors.WriteError, match="No space left on device"):
            search.join(found, address, stub_training.train_but_fill_the_disk)
        assert list(oracle.ongoing_trials)


def test_worker_that_waits_for_its_chief_can_be_interrupted(address):
    def interrupt():
        raise errors.InterruptedRunError("a signal came")

    oracle = service.RemoteOracle(address, on_wait=interrupt)
    with contextlib.closing(oracle), pytest.raises(errors.InterruptedRunError):
        oracle.create_trial("worker")


def test_worker_without_a_session_says_so(tmp_path):
    with pytest.raises(errors.BadArgumentError, match="expected a session's folder; start its chief first"):
        session.join_session(tmp_path, CONFIG, SPACE, SOURCE)


def test_address_that_is_taken_is_one_clear_line(tmp_path, address):
    with (
        session.open_session(tmp_path / "session", CONFIG, SPACE, SOURCE) as found,
        socket.socket() as taken,
    ):
        host, port = address.split(":")
        taken.bind((host, int(port)))
        taken.listen()
        with pytest.raises(errors.FailedError, match=f"serve={address}: cannot listen"):
            search.serve(found, address, stub_training.train)


class OneTrialOracle:
    """Has one trial, which the first worker runs; proposes no other."""

    def __init__(self):
        self.ongoing_trials = {"first": "its trial"}
        self.trials = {"0": "its trial"}

    def get_space(self):
        return keras_tuner.HyperParameters()

    def create_trial(self, worker):
        return Trial(keras_tuner.HyperParameters(), "", journaled.STOPPED)


def test_worker_that_was_told_to_wait_is_waited_for_until_it_hears_the_end():
    servicer = service.Servicer(None, types.SimpleNamespace(allows_another=lambda *_: True, left=lambda: math.inf))
    servicer.oracle = OneTrialOracle()
    request = protos.get_service().CreateTrialRequest(tuner_id="second")
    servicer.CreateTrial(request, None)
    assert servicer.waiting == {"second"}
    servicer.oracle.ongoing_trials.clear()
    servicer.CreateTrial(protos.get_service().CreateTrialRequest(tuner_id="first"), None)
    assert (servicer.stop_triggered, servicer.waiting) == (True, {"second"})  # the chief must not end yet
    servicer.CreateTrial(request, None)
    assert servicer.waiting == set()


class AbortedError(Exception):
    """What gRPC's `abort` raises."""


def test_damaged_record_of_a_trial_ends_the_chief(tmp_path):
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "0.json").write_text("{", encoding="utf-8")

    def abort(*_):
        raise AbortedError

    servicer = service.Servicer(types.SimpleNamespace(folder=SessionFolder(tmp_path)), None)
    servicer.oracle = OneTrialOracle()
    request = protos.get_service().EndTrialRequest(trial=Trial(keras_tuner.HyperParameters(), "0").to_proto())
    with pytest.raises(AbortedError):
        servicer.EndTrial(request, types.SimpleNamespace(abort=abort))
    assert isinstance(servicer.error, errors.DamagedError)
