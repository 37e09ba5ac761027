"""A trained run, and a server in this process."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from models.serving import address
from pipeline.datasets.description import Classes, Description
from tests.models.prediction.conftest import noise, summed, trained

__all__ = ["noise", "summed", "trained"]
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def description() -> Description:
    """Of a data set whose names are HTML."""
    classes = Classes((SCRIPT, "b"), (SCRIPT,), (0, 0))
    return Description(SCRIPT, classes, 32, {"train": 1}, (0, 0, 0), (1, 1, 1))


@pytest.fixture
def served() -> Iterator[Callable[..., str]]:
    """A function that serves an application on a free port until the test ends, and returns its URL."""
    server = pytest.importorskip("models.serving.server", reason="the extra serve is not installed")
    with contextlib.ExitStack() as stack:

        def serve(application: object) -> str:
            listening = stack.enter_context(address.listen("127.0.0.1", 0))
            running = server.build(application)
            thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, running, "should_exit", True)
            while not running.started:
                time.sleep(0.01)
            return address.url(listening)

        yield serve
