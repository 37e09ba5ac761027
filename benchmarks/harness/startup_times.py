"""Seconds of binaries from the start of their processes: to the end of --help, and to the first training step."""

import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence

from benchmarks.harness import subprocess_call, timing
from models.runs.folder import RunFolder
from pipeline.common import errors

BINARIES = ("pipeline.prepare", "pipeline.explore", "models.train", "models.evaluate", "tuning.study", "tuning.tune")
BEGINNING = "Model: "  # the line that training prints before its first step
TIMEOUT_S = 600.0


def help_s(name: str) -> float:
    """Seconds that `python -m NAME --help` takes."""
    command = [sys.executable, "-m", name, "--help"]
    return timing.seconds_of(lambda: subprocess_call.run(f"{name} --help", command, TIMEOUT_S))


def first_step_s(command: Sequence[str]) -> tuple[float, float]:
    """Seconds from the start of a training's process until its first step begins, and until that has ended.

    The flags for one step in a new folder are added to the command. A training that fails, or prints nothing about a
    first step, is a FailedError.
    """
    with tempfile.TemporaryDirectory() as folder:
        run_dir = pathlib.Path(folder, "run")
        command = [*command, "--max_steps=1", "--num_validation=0", f"--run_dir={run_dir}"]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        begin = time.perf_counter()
        with subprocess_call.started(command, **options, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
            timer = threading.Timer(TIMEOUT_S, process.kill)
            timer.daemon = True  # after a Ctrl-C, Python would wait for it
            timer.start()
            assert process.stdout is not None
            begun_s, last = None, ""
            for line in process.stdout:
                last = line.strip() or last
                if line.startswith(BEGINNING):
                    begun_s = time.perf_counter() - begin
            process.wait()
            timer.cancel()
        if process.returncode or begun_s is None:
            raise errors.FailedError(f"training for one step: exit code {process.returncode}: {last}")
        return begun_s, begun_s + RunFolder(run_dir).report()["train_seconds"]
