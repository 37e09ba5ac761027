"""Which of the other workers are lost: those that are gone or stand still, not those that answer."""

import contextlib
import socket
import threading
from collections.abc import Callable

import pytest

from models.runtime import cluster


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
    monkeypatch.setattr(cluster, "GREETING_SECONDS", 5.0 if stand_still not in behaviours else 0.5)
    assert lost(behaviours, message) == expected


def test_worker_that_is_ending_is_lost():
    assert lost((greet, end_soon), "Socket closed") == [2]


def lost(behaviours: tuple[Callable[[socket.socket], None], ...], message: str) -> list[int]:
    """The workers that worker 0 finds lost, of those from worker 1 on that behave so."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in behaviours]
        addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
        threads = [
            threading.Thread(target=behave, args=(listener,))
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
