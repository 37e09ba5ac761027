"""What `benchmarks.startup` measures: the seconds of binaries from the start of their processes."""

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

BINARIES = (
    *("pipeline.prepare", "pipeline.explore", "models.train", "models.evaluate"),
    *("tuning.study", "tuning.tune"),
)
BEGINNING = "Model: "  # the line that training prints before its first step
TIMEOUT_S = 600.0


def help_s(name: str) -> float:
    """Seconds that `python -m NAME --help` takes.

    Raises:
      errors.FailedError: it failed.
    """
    return timing.seconds_of(
        lambda: subprocess_call.run(f"{name} --help", [sys.executable, "-m", name, "--help"], TIMEOUT_S)
    )


def first_step_s(command: Sequence[str]) -> tuple[float, float]:
    """Seconds from the start of a training's process until its first step begins, and until that has ended.

    Args:
      command: of a training; the flags for one step in a new folder are added.

    Raises:
      errors.FailedError: it failed, or printed nothing about a first step.
    """
    with tempfile.TemporaryDirectory() as folder:
        run_dir = str(pathlib.Path(folder, "run"))
        options = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "env": {**os.environ, "PYTHONUNBUFFERED": "1"},
        }
        begin = time.perf_counter()
        command = [*command, "--max_steps=1", "--num_validation=0", f"--run_dir={run_dir}"]
        with subprocess_call.started(command, **options) as process:
            timer = threading.Timer(TIMEOUT_S, process.kill)
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
        return begun_s, begun_s + RunFolder(pathlib.Path(run_dir)).report()["train_seconds"]
