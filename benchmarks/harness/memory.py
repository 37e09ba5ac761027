"""Resident memory of processes, and samples of a value while something runs."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import psutil

Sample = TypeVar("Sample")


def resident_mib(pid: int | None = None, *, with_children: bool = False) -> float:
    """Resident memory of a process, by default of this one, and, if asked, of all that it started, in MiB.

    Of a process that has ended it is 0.
    """
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *(parent.children(recursive=True) if with_children else ())):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total / 2**20


@contextlib.contextmanager
def sampling(sample: Callable[[], Sample], seconds: float) -> Iterator[list[Sample]]:
    """A context with the values of `sample()` so far, which a thread calls every `seconds`."""
    samples: list[Sample] = []
    end = threading.Event()

    def run() -> None:
        while not end.wait(seconds):
            samples.append(sample())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        end.set()
        thread.join()
