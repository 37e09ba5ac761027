"""The servers of the data service: a dispatcher that hands out steps, and workers that make their batches."""

import pathlib
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from pipeline.common import errors
from pipeline.common.process import loopback

PROTOCOL = "grpc"
MISSING_AFTER_MS = 10_000  # without a heartbeat of a worker
Server = TypeVar("Server")


def dispatcher(port: int, work_dir: pathlib.Path, *, is_own: bool) -> tf.data.experimental.service.DispatchServer:
    """A dispatcher that listens at a port, 0 for any free one, and goes on from its journal in `work_dir`.

    Other machines cannot reach it if it `is_own`.

    Raises:
      errors.FailedError: it cannot listen there, cannot be closed to other machines, or cannot read its journal.
    """
    config = tf.data.experimental.service.DispatcherConfig(
        port=port,
        protocol=PROTOCOL,
        work_dir=str(work_dir),
        fault_tolerant_mode=True,
        worker_timeout_ms=MISSING_AFTER_MS,
    )
    what = f"port={port}: the dispatcher"
    advice = f"choose another --port, or another --work_dir where the journal in {work_dir} is damaged"
    return _started(lambda: tf.data.experimental.service.DispatchServer(config), what, advice, is_own)


def worker(host: str, port: int, dispatcher: str, *, is_own: bool) -> tf.data.experimental.service.WorkerServer:
    """A worker of the dispatcher at an address, which names to clients `host` and its port, 0 for any free one.

    Arguments and errors are otherwise as of `dispatcher`.
    """
    config = tf.data.experimental.service.WorkerConfig(
        dispatcher_address=dispatcher, worker_address=f"{host}:%port%", port=port, protocol=PROTOCOL
    )
    what = f"port={port}: the worker"
    return _started(lambda: tf.data.experimental.service.WorkerServer(config), what, "choose another --port", is_own)


def _started(start: Callable[[], Server], what: str, advice: str, is_own: bool) -> Server:
    try:
        server = start()
    except (tf.errors.OpError, RuntimeError) as error:
        raise errors.FailedError(f"{what} cannot start ({str(error).splitlines()[0]}); {advice}") from error
    if is_own:
        try:
            loopback.close_to_others()
        except OSError as error:
            raise errors.FailedError(
                f"{what} listens at all addresses of this machine, and cannot be closed to others ({error}); set "
                "--insecure where nobody else reaches this machine"
            ) from error
    return server
