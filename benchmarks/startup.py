"""How long people wait: seconds from a process's start to its help, to its first training step, and to that step's end.

    python -m benchmarks.startup --presets=quick,tiny --out=FILE.json

Each preset is trained for one step, without validation, in a process of its own and a folder that is removed again.
Rows:
  ours/help/BINARY         seconds until `python -m BINARY --help` has ended;
  ours/PRESET/first_step   seconds until the first step begins: imports, data opened and shuffled, network built;
  ours/PRESET/first_result seconds until it has ended: tracing and compiling included.
The data set is prepared before anything is timed.
"""

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from benchmarks import results
from models import presets
from models.run_folder import RunFolder
from pipeline import binary, config, errors
from pipeline.data_config import SourceConfig

config.define_flags(SourceConfig)
PRESETS = flags.DEFINE_list("presets", ["quick", "tiny"], f"some of {', '.join(presets.PRESETS)}")
REPEATS = flags.DEFINE_integer("repeats", 3, "processes of each kind, in turns", lower_bound=1)
OUT = flags.DEFINE_string("out", "", "JSON file to write")

BINARIES = ("pipeline.prepare", "pipeline.explore", "models.train", "models.evaluate", "tuning.study")
BEGINNING = "Model: "  # of the line that training prints before its first step
TIMEOUT_S = 600.0


def main() -> None:
    """Prepare, measure in turns, publish."""
    for name in dict.fromkeys(PRESETS.value):
        presets.preset(name)
    from pipeline import prepare, prepared

    source = config.build(SourceConfig, config.given_flags())
    data = [f"--dataset={prepare.prepare(source)}", f"--data_dir={prepared.root(source.data_dir)}"]
    seconds: dict[str, list[float]] = {}
    for _ in range(REPEATS.value):
        for name in BINARIES:
            seconds.setdefault(f"ours/help/{name}", []).append(help_s(name))
        for name in dict.fromkeys(PRESETS.value):
            begun, ended = first_step_s([sys.executable, "-m", "models.train", f"--preset={name}", *data])
            seconds.setdefault(f"ours/{name}/first_step", []).append(begun)
            seconds.setdefault(f"ours/{name}/first_result", []).append(ended)
    binary.load_tensorflow()
    results.publish("startup", [_row(name, values) for name, values in seconds.items()], OUT.value)


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
    finally:
        timer.cancel()


def _row(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    spread = {"min": round(min(seconds), 2), "max": round(max(seconds), 2), "repeats": len(seconds)}
    return results.single(name, "s", round(statistics.median(seconds), 2)) | spread


def run() -> None:
    """Start the binary."""
    binary.run(main)


if __name__ == "__main__":
    run()
