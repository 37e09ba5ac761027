"""What `benchmarks.startup` measures: binaries in processes of their own, from their start."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence

from models.runs.folder import RunFolder
from pipeline.common import errors

BINARIES = (
    *("pipeline.prepare", "pipeline.explore", "models.train", "models.evaluate"),
    *("tuning.study", "tuning.tune"),
)
BEGINNING = "Model: "  # of the line that training prints before its first step
TIMEOUT_S = 600.0


def help_s(name: str) -> float:
    """Seconds that `python -m NAME --help` takes.

    Raises:
      errors.FailedError: it failed.
    """
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", name, "--help"], capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode:
        raise errors.FailedError(f"{name} --help: exit code {done.returncode}: {done.stderr.strip()}")
    return time.perf_counter() - started


def first_step_s(command: Sequence[str]) -> tuple[float, float]:
    """Seconds from the start of a training's process until its first step begins, and until that has ended.

    Args:
      command: trains; it is given a folder and told to make one step.

    Raises:
      errors.FailedError: it failed, or said nothing of a first step.
    """
    with tempfile.TemporaryDirectory() as folder:
        run_dir = str(pathlib.Path(folder, "run"))
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--max_steps=1", "--num_validation=0", f"--run_dir={run_dir}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        begun_s, said = None, ""
        with process, _killed_after(TIMEOUT_S, process):
            for line in process.stdout:
                said = line.strip() or said
                if line.startswith(BEGINNING):
                    begun_s = time.perf_counter() - started
        if process.returncode or begun_s is None:
            raise errors.FailedError(f"training for one step: exit code {process.returncode}: {said}")
        return begun_s, begun_s + RunFolder(pathlib.Path(run_dir)).report()["train_seconds"]


@contextlib.contextmanager
def _killed_after(seconds: float, process: subprocess.Popen[str]) -> Iterator[None]:
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    except BaseException:  # an interruption: nobody waits for it any longer, but for its end
        process.kill()
        process.wait()
        raise
    finally:
        timer.cancel()
