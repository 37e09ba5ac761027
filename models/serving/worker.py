"""Calls functions in another thread, one after the other; the end of the process does not wait for it."""

import asyncio
import concurrent.futures
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class Worker:
    """A daemon thread. A `concurrent.futures.ThreadPoolExecutor` would be waited for when the process ends."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[concurrent.futures.Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="predict", daemon=True).start()

    async def __call__(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The result of a call, or what it raises; a call that is cancelled before its turn is left out."""
        future: concurrent.futures.Future[Result] = concurrent.futures.Future()
        self._calls.put((future, lambda: function(*arguments)))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while True:
            _call(*self._calls.get())


def _call(future: concurrent.futures.Future[Any], function: Callable[[], Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)
