"""Starts the workers of a training on this machine, and starts them again where one was lost. Needs no TensorFlow."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import IO

from models.runtime import cluster
from pipeline.common import cpu, errors
from pipeline.common.process import signals

LOST = 4  # the exit code of a worker that has lost another one
SAVED = 3
SAVING_SECONDS = 120.0  # in which all workers end by themselves after a signal
LOST_SECONDS = 40.0  # in which the others notice that a worker was lost
_POLL_SECONDS = 0.1
_ERRORS = ("error: ", "Traceback ", "Fatal Python error")


def run(command: Sequence[str], num_processes: int, restarts: int, *, saving_seconds: float = SAVING_SECONDS) -> int:
    """Run a command in so many processes, each with its TF_CONFIG; the exit code of all.

    The first process writes to the terminal; of the others, errors are shown. Where one is killed or crashes, all are
    started again, at most `restarts` times, and go on from the last checkpoint. A signal is passed on: the processes
    save their state and end; those that do not in `saving_seconds` are killed.

    Raises:
      errors.WorkerLostError: processes were killed, and none is left that says so.
    """
    with signals.Requests(listen=True) as requests:
        for number in range(restarts + 1):
            codes = _run_once(command, cluster.of_this_machine(num_processes), requests, saving_seconds)
            failed = next((code for code in codes if code is not None and code > 0 and code != LOST), 0)
            if failed not in (0, SAVED) or (None not in codes and (failed or not any(codes))):
                return failed
            killed = [f"worker {place} ({_end(code)})" for place, code in enumerate(codes) if code is None or code < 0]
            if requests.received or failed == SAVED:
                break
            if number < restarts:
                lost = " and ".join(killed) or "a worker"
                print(f"\nlost {lost}; starting all again, {number + 1} of {restarts}", file=sys.stderr, flush=True)
    if LOST in codes and None not in codes:
        return LOST
    raise errors.WorkerLostError(f"lost {' and '.join(killed)}; run the same command again to go on")


def _end(code: int | None) -> str:
    """How a process was killed, by its exit code."""
    return "did not end and was killed" if code is None else f"signal {-code}"


def _run_once(
    command: Sequence[str], workers: Sequence[cluster.Cluster], requests: signals.Requests, saving_seconds: float
) -> list[int | None]:
    """The exit codes of the processes: minus the signal's number where one was killed, None where it did not end."""
    with _started(command, workers) as started:
        processes = [process for process, _ in started]
        deadline, is_told = math.inf, False
        while any(process.poll() is None for process in processes) and time.monotonic() <= deadline:
            if requests.received and not is_told:
                is_told = True
                for process in processes:
                    process.send_signal(signal.SIGTERM)
            failed = {code for process in processes if (code := process.poll())}
            if is_told or failed == {SAVED}:
                deadline = min(deadline, time.monotonic() + saving_seconds)
            if failed - {SAVED} or processes[0].poll() == 0:  # the first one ends last
                deadline = min(deadline, time.monotonic() + LOST_SECONDS)
            time.sleep(_POLL_SECONDS)
        codes = [process.poll() for process in processes]
        for code, (_, stderr) in zip(codes, started, strict=True):
            if stderr and code not in (0, SAVED, codes[0]):  # with its exit code, the first one has said the same
                _show_errors(stderr)
        return codes


def _show_errors(stderr: IO[str]) -> None:
    """Write what a process has written to stderr, but for the progress before its error."""
    stderr.seek(0)
    lines = stderr.readlines()
    begin = next((place for place, line in enumerate(lines) if line.startswith(_ERRORS)), len(lines))
    sys.stderr.writelines(lines[begin:])


@contextlib.contextmanager
def _started(
    command: Sequence[str], workers: Sequence[cluster.Cluster]
) -> Iterator[list[tuple[subprocess.Popen[bytes], IO[str] | None]]]:
    """Processes, and what all but the first write to stderr; those that still run at the end are killed."""
    threads = max(1, cpu.num_threads() // len(workers))
    with contextlib.ExitStack() as stack:
        started: list[tuple[subprocess.Popen[bytes], IO[str] | None]] = []
        for worker in workers:
            settings = {cluster.VARIABLE: worker.as_tf_config(), "TF_NUM_INTRAOP_THREADS": str(threads)}
            stderr = None if worker.is_chief else stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
            stdout = None if worker.is_chief else subprocess.DEVNULL
            process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=stdout, stderr=stderr)
            stack.callback(process.wait)
            stack.callback(process.kill)  # does nothing to one that has ended
            started.append((process, stderr))
        yield started
