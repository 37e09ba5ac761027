"""The thread of predictions."""

import asyncio
import subprocess
import sys

from models.serving.worker import Worker
from tests.conftest import ROOT

WAITS = """
import asyncio, time
from models.serving.worker import Worker

async def wait():
    await asyncio.wait_for(Worker()(time.sleep, 600), 0.1)

try:
    asyncio.run(wait())
except TimeoutError:
    print("ended")
"""


def test_calls_return_and_raise_in_order():
    worker, calls = Worker(), []

    async def call() -> list:
        appended = (worker(calls.append, n) for n in range(9))
        return await asyncio.gather(*appended, worker(len, 1), return_exceptions=True)

    *results, error = asyncio.run(call())
    assert results == [None] * 9
    assert isinstance(error, TypeError)
    assert calls == list(range(9))


def test_process_ends_while_a_call_is_under_way():
    ended = subprocess.run([sys.executable, "-c", WAITS], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended\n", "")
