"""Which other workers are lost: those that are gone or stand still, not those that answer; who reaches this one."""

import contextlib
import re
import socket
import threading
import time
import types
from collections.abc import Callable

import pytest

from models.runtime import cluster
from pipeline.common import errors
from pipeline.common.process import loopback


def greet_once(listener: socket.socket) -> None:
    """Speak first, as a gRPC server does."""
    connection, _ = listener.accept()
    with connection:
        connection.send(b"\0")


def greet(listener: socket.socket) -> None:
    """Speak first until the listener is shut down."""
    with contextlib.suppress(OSError):
        while True:
            greet_once(listener)


def stand_still(listener: socket.socket) -> None:
    """Let the kernel connect, as a stopped process does."""


def end(listener: socket.socket) -> None:
    listener.close()


def end_soon(listener: socket.socket) -> None:
    greet_once(listener)
    listener.close()


@pytest.mark.parametrize(
    ("behaviours", "message", "expected"),
    [
        ((greet, greet), "Socket closed", []),
        ((greet, end), "Socket closed", [2]),
        ((greet, end), "a message that names task:1", [2]),
        ((greet, stand_still), "heartbeat timeout", [2]),
        ((end, end), "Socket closed", [1, 2]),
        ((end, end), "a message that names task:2", [2]),
    ],
)
def test_workers_that_do_not_answer_are_lost(behaviours, message, expected, monkeypatch):
    monkeypatch.setattr(cluster, "ENDING_SECONDS", 0.0)
    monkeypatch.setattr(cluster, "GREETING_SECONDS", 5.0)
    assert lost(behaviours, message) == expected


def test_worker_that_is_ending_is_lost():
    assert lost((greet, end_soon), "Socket closed") == [2]


def lost(behaviours: tuple[Callable[[socket.socket], None], ...], message: str) -> list[int]:
    """The workers that worker 0 finds lost, of those from worker 1 on that behave so."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in behaviours]
        addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
        threads = [
            threading.Thread(target=behave, args=(listener,), daemon=True)
            for behave, listener in zip(behaviours, listeners, strict=True)
        ]
        for thread in threads:
            thread.start()
        workers = cluster.Cluster(("127.0.0.1:1", *addresses), 0)
        found = workers.lost(message)
        for listener in listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # ends `accept`
        for thread in threads:
            thread.join()
    return [index for index in (1, 2) if workers.name(index) in found]


def fail() -> None:
    raise OSError("no socket filter")


@pytest.mark.parametrize("addresses", [("127.0.0.1:1", "127.0.0.2:1"), ("[::1]:1",), ("localhost:1",)])
def test_port_that_cannot_be_closed_to_others_is_named(addresses, monkeypatch):
    monkeypatch.setattr(loopback, "close_to_others", fail)
    with pytest.raises(errors.FailedError, match=rf"^worker 0 \({re.escape(addresses[0])}\).*no socket filter"):
        cluster.Cluster(addresses, 0).close_to_others()


@pytest.mark.parametrize("addresses", [("127.0.0.1:1", "10.0.0.2:1"), ("a:1", "127.0.0.1:1"), ("localhost.a:1",)])
def test_port_of_several_machines_stays_open(addresses, monkeypatch):
    monkeypatch.setattr(loopback, "close_to_others", fail)
    cluster.Cluster(addresses, 0).close_to_others()


def test_processes_at_ipv6_addresses_meet(monkeypatch):
    own, other = (int(address.split(":")[1]) for address in cluster.of_this_machine(2)[0].addresses)
    with contextlib.ExitStack() as stack:

        def come(_: float) -> None:
            """Instead of the first wait for it, the other process comes."""
            socket.create_connection(("::1", own), timeout=600).close()
            stack.enter_context(socket.create_server(("::1", other), family=socket.AF_INET6))

        clock = types.SimpleNamespace(monotonic=time.monotonic, sleep=come)  # other threads sleep as before
        monkeypatch.setattr(cluster, "time", clock)
        cluster.Cluster((f"[::1]:{own}", f"[::1]:{other}"), 0).meet()
