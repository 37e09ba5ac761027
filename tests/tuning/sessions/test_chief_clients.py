"""Clients of a chief that are no workers: it neither ends nor loses anything, and its workers go on."""

import contextlib
import math
import os
import pickle
import socket
import threading
import types
from concurrent import futures

import grpc
import pytest
from keras_tuner.src import protos

from pipeline.common import errors
from tests.tuning import stub_training
from tests.tuning.sessions.small_sessions import SOURCE, searched, told
from tests.tuning.sessions.test_chief import CONFIG, SPACE, interrupt_if_failed
from tuning.sessions import chief as service
from tuning.sessions import search, session
from tuning.sessions.oracles import journaled

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # of HTTP/2
TOKEN = "a-secret-of-this-test"
UNLIMITED = types.SimpleNamespace(allows_another=lambda *_: True, left=lambda: math.inf)


class RunsCode:
    """A pickle that runs a command when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.fixture
def served(tmp_path, address):
    """A chief with an oracle, and a worker of it."""
    with (
        session.open_session(tmp_path / "session", CONFIG, SPACE, SOURCE) as found,
        service.serving(found, address, UNLIMITED) as servicer,
        contextlib.closing(service.RemoteOracle(address)) as worker,
    ):
        servicer.oracle = journaled.build(CONFIG, found.jobs.hyperparameters(), found.folder.journal)
        yield servicer, worker
        assert servicer.error is None


def method(name: str) -> str:
    return f"/keras_tuner.Oracle/{name}"


def connected(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)))


def code_of(call) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value.code()


def slow_calls(channel: grpc.Channel, count: int, end: threading.Event) -> list[grpc.Future]:
    """Calls that begin and send no message."""

    def nothing():
        end.wait()
        yield from ()

    begin = channel.stream_unary(method("CreateTrial"))
    return [begin.future(nothing()) for _ in range(count)]


def test_bytes_that_are_no_call_end_no_chief(served, address, tmp_path):
    _, worker = served
    code = pickle.dumps(RunsCode(tmp_path / "ran"))
    with contextlib.ExitStack() as stack:
        for number, sent in enumerate((b"", os.urandom(100_000), b"GET / HTTP/1.1\r\n\r\n", PREFACE, PREFACE + code)):
            client = stack.enter_context(connected(address))
            with contextlib.suppress(ConnectionError):  # the chief has hung up
                client.sendall(sent)
            assert worker.create_trial(f"worker-{number}").status == journaled.RUNNING
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(method("CreateTrial"))
            assert code_of(lambda: call(code)) in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
    assert not (tmp_path / "ran").exists()


def test_huge_message_is_refused(served, address):
    _, worker = served
    with grpc.insecure_channel(address) as channel:
        huge = protos.get_service().CreateTrialRequest(tuner_id="x" * 2 * service.MAX_MESSAGE_BYTES)
        call = channel.unary_unary(method("CreateTrial"))
        assert code_of(lambda: call(huge.SerializeToString())) == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert worker.create_trial("worker").status == journaled.RUNNING


def test_slow_clients_keep_no_worker_waiting(served, address):
    _, worker = served
    end = threading.Event()
    with grpc.insecure_channel(address) as channel, contextlib.closing(connected(address)) as idle:
        calls = slow_calls(channel, 30, end)
        idle.sendall(PREFACE[:10])
        try:
            for number in range(5):
                assert worker.create_trial(f"worker-{number}").status == journaled.RUNNING
            assert not any(call.done() for call in calls)
        finally:
            end.set()
            for call in calls:
                call.cancel()


@pytest.mark.parametrize("name", ["../elsewhere", "", "a/b", ".", "x" * 300, "line\n"])
def test_worker_whose_name_is_no_file_gets_no_trial(served, address, name):
    servicer, _ = served
    with grpc.insecure_channel(address) as channel:
        call = protos.get_service_grpc().OracleStub(channel).CreateTrial
        request = protos.get_service().CreateTrialRequest(tuner_id=name)
        assert code_of(lambda: call(request)) == grpc.StatusCode.INVALID_ARGUMENT
    assert not servicer.waiting
    assert not servicer.oracle.ongoing_trials


@pytest.mark.parametrize("trial_id", ["", "99", "../session", "/etc/passwd", "\0", "../" * 1000])
def test_end_of_a_trial_that_was_not_proposed_is_refused(served, address, trial_id):
    with grpc.insecure_channel(address) as channel:
        service_of = protos.get_service_grpc().OracleStub(channel)
        request = protos.get_service().EndTrialRequest()
        request.trial.trial_id = trial_id
        assert code_of(lambda: service_of.EndTrial(request)) == grpc.StatusCode.FAILED_PRECONDITION


def test_methods_that_change_the_search_are_refused(served, address):
    servicer, _ = served
    before = servicer.oracle.get_space().get_config()
    with grpc.insecure_channel(address) as channel:
        for name in ("UpdateSpace", "UpdateTrial", "GetSpace", "GetBestTrials", "Nothing"):
            call = channel.unary_unary(method(name))
            assert code_of(lambda call=call: call(b"")) == grpc.StatusCode.UNIMPLEMENTED
    assert servicer.oracle.get_space().get_config() == before


@pytest.mark.parametrize("sent", ["", "another-secret-of-this-test", TOKEN[:-1], TOKEN.upper()])
def test_worker_without_the_token_is_refused_and_says_so(tmp_path, address, sent):
    with (
        session.open_session(tmp_path / "session", CONFIG, SPACE, SOURCE) as found,
        service.serving(found, address, UNLIMITED, TOKEN) as servicer,
    ):
        servicer.oracle = journaled.build(CONFIG, found.jobs.hyperparameters(), found.folder.journal)
        with (
            contextlib.closing(service.RemoteOracle(address, sent)) as worker,
            pytest.raises(errors.FailedError, match=rf"^join={address}: .*--token_file") as refused,
        ):
            worker.create_trial("worker")
        assert not isinstance(refused.value, service.NoAnswerError)  # which a worker takes for the end of the minutes
        assert not servicer.oracle.ongoing_trials
        with contextlib.closing(service.RemoteOracle(address, TOKEN)) as worker:
            assert worker.create_trial("worker").status == journaled.RUNNING


def test_search_among_hostile_clients_finds_what_one_process_does(tmp_path, address, monkeypatch):
    monkeypatch.setattr(service, "HEARTBEAT_SECONDS", 0.5)
    monkeypatch.setattr(search, "FAREWELL_SECONDS", 0.0)
    end = threading.Event()

    def disturb() -> None:
        with grpc.insecure_channel(address) as channel:
            calls = slow_calls(channel, 10, end)
            while not end.wait(0.05):
                with contextlib.suppress(ConnectionError), contextlib.closing(connected(address)) as client:
                    client.sendall(os.urandom(1000))
                with contextlib.suppress(grpc.RpcError):
                    channel.unary_unary(method("EndTrial"))(os.urandom(100), timeout=60)
            for call in calls:
                call.cancel()

    def work() -> None:
        try:
            search.join(joined, address, stub_training.train_as_well_as_the_rate, TOKEN)
        finally:
            end.set()

    with (
        futures.ThreadPoolExecutor(2) as others,
        session.open_session(tmp_path / "session", CONFIG, SPACE, SOURCE) as found,
    ):
        joined = session.join_session(tmp_path / "session", CONFIG, SPACE, SOURCE)
        clients = [others.submit(disturb), others.submit(work)]
        for client in clients:
            client.add_done_callback(interrupt_if_failed)
        search.serve(found, address, stub_training.train, token=TOKEN)
        for client in clients:
            client.result()
        ended = told(found)
    alone = searched(tmp_path / "alone", tuner="grid", max_trials=8)
    assert sorted(str(one[2:]) for one in ended) == sorted(str(one[2:]) for one in told(alone))
