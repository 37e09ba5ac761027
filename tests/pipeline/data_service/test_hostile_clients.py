"""Clients that are no trainings end no server, and cost a training nothing."""

import contextlib
import itertools
import os
import pickle
import socket
import threading

import grpc

from pipeline.batches import OpenedData
from tests.pipeline.data_service.digests import digest, local

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # of HTTP/2
DISPATCHER = "/tensorflow.data.DispatcherService/"
METHODS = ("WorkerHeartbeat", "GetOrRegisterDataset", "GetOrCreateJob", "GetSplit", "ClientHeartbeat", "Nothing")
HUGE_BYTES = 64 << 20


class RunsCode:
    """A pickle that runs a command when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def connected(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)))


def test_training_among_hostile_clients_gets_its_batches(dispatcher, worker, address, config, tmp_path):
    servers = [dispatcher(), worker()]
    code, end = pickle.dumps(RunsCode(tmp_path / "ran")), threading.Event()
    stream = iter(OpenedData(config.replace(data_service=address)).train(3))
    made = [digest(batch) for batch in itertools.islice(stream, 3)]

    def nothing():
        end.wait()
        yield from ()

    with contextlib.ExitStack() as stack, grpc.insecure_channel(address) as channel:
        for sent in (b"", os.urandom(100_000), b"GET / HTTP/1.1\r\n\r\n", PREFACE + code):
            client = stack.enter_context(connected(address))
            with contextlib.suppress(ConnectionError):  # the dispatcher has hung up
                client.sendall(sent)
        slow = [channel.stream_unary(DISPATCHER + METHODS[0]).future(nothing()) for _ in range(30)]
        try:
            for method, sent in itertools.product(METHODS, (os.urandom(1000), code, bytes([255]) * HUGE_BYTES)):
                with contextlib.suppress(grpc.RpcError):
                    channel.unary_unary(DISPATCHER + method)(sent, timeout=600)
            made += [digest(batch) for batch in itertools.islice(stream, 20)]
        finally:
            end.set()
            for call in slow:
                call.cancel()
    assert made == local(config, 0, 23)
    assert not (tmp_path / "ran").exists()
    assert [server.process.poll() for server in servers] == [None, None]
