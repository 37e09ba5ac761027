"""What `benchmarks.tuner` measures: whole sessions of a model that trains in a second, and their memory."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.harness import subprocess_call
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from tuning.sessions.journal import Journal
from tuning.sessions.search_space import Space
from tuning.sessions.session import SessionConfig
from tuning.workers.worker_process import THREADS

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

SAMPLE_SECONDS = 0.2
TUNER, MAX_EPOCHS = "grid", 4
Round = Mapping[str, Mapping[int, Mapping[str, Any]]]  # the result of each session, by its kind and workers
BASE = {"preset": "linear", "num_validation": 500, "batch_size": 100, "precision": "float32"}


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """A context in which the TensorFlow of every process that is started has one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def prepared(folder: pathlib.Path) -> SourceConfig:
    """shapes100_tiny, prepared in a folder."""
    from pipeline import prepare

    source = SourceConfig(dataset="shapes100_tiny", data_dir=str(folder / "data"))
    prepare.prepare(source)
    return source


def choose(hp: "HyperParameters") -> dict[str, Any]:
    """The space: a grid of 80."""
    return {
        "learning_rate": hp.Choice("learning_rate", [1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3]),
        "coarse_loss_weight": hp.Choice("coarse_loss_weight", [0.1, 0.25, 0.5, 1.0, 2.0]),
        "pixel_scaling": hp.Choice("pixel_scaling", ["standardise", "unit"]),
    }


def run_round(
    folder: pathlib.Path, source: SourceConfig, trials: int, workers: Sequence[int], with_loopback: bool
) -> Round:
    """A session, and one over loopback if it is asked for, of each number of workers, in turns.

    Args:
      folder: for all of them, not there yet.
      source: the data set, prepared.
      trials: of each session.
      workers: the numbers of them.
      with_loopback: whether to measure a chief and its workers too.

    Returns:
      {"workers": what `run` said, "loopback": what `run_over_loopback` said}, each by the number of workers.

    Raises:
      errors.FailedError: trials fail, or a chief or a worker over loopback does.
    """
    folder.mkdir()
    said: dict[str, dict[int, dict[str, Any]]] = {"workers": {}, "loopback": {}}
    for number in workers:
        said["workers"][number] = run(folder / f"workers_{number}", source, trials, number)
        if with_loopback:
            said["loopback"][number] = run_over_loopback(folder / f"loopback_{number}", source, trials, number)
    return said


def run(path: pathlib.Path, source: SourceConfig, trials: int, workers: int) -> dict[str, Any]:
    """Seconds, records, and (trials ended, MiB) at each moment of a session."""
    from tuning.sessions import search, session

    config = SessionConfig(space="measured", tuner=TUNER, max_trials=trials, max_epochs=MAX_EPOCHS, workers=workers)
    with session.claim(path, config, Space("measured", choose, BASE), source) as found:
        over, samples = threading.Event(), list[tuple[int, float]]()

        def sample() -> None:
            while not over.wait(SAMPLE_SECONDS):
                samples.append((len(list(path.glob("trials/*.json"))), _memory_mib()))

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        began = time.perf_counter()
        try:
            search.run(found)
            seconds = time.perf_counter() - began
        except errors.InterruptedRunError as interrupt:  # the folder is a temporary one: nothing goes on from it
            raise KeyboardInterrupt from interrupt
        finally:
            over.set()
            sampler.join()
        return {"seconds": seconds, "records": found.records(), "samples": samples}


def run_over_loopback(path: pathlib.Path, source: SourceConfig, trials: int, workers: int) -> dict[str, Any]:
    """The same of a chief and so many workers on this machine, from its first trial's beginning; without the samples.

    Raises:
      errors.FailedError: one of them fails.
    """
    space = path.parent / "measured_space.py"
    space.write_text("from benchmarks.tuner.cases import BASE, choose as space\n", encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        *(sys.executable, "-m", "tuning.tune", f"--space={space}", f"--tuner={TUNER}", f"--max_trials={trials}"),
        *(f"--max_epochs={MAX_EPOCHS}", f"--session_dir={path}"),
        *(f"--dataset={source.dataset}", f"--data_dir={source.data_dir}"),
    ]
    chief = _Process([*command, f"--serve={address}"], path.with_name(f"{path.name}_chief.txt"))
    joined: list[_Process] = []
    try:
        while not (path / "session.json").exists():
            chief.is_running()
            time.sleep(SAMPLE_SECONDS)
        for number in range(workers):
            words = path.with_name(f"{path.name}_worker_{number}.txt")
            joined.append(_Process([*command, f"--join={address}"], words))
        while sum(process.is_running() for process in (chief, *joined)):  # a sum looks at each
            time.sleep(SAMPLE_SECONDS)
    finally:
        for process in (chief, *joined):
            process.end()
    spent = [event["spent_s"] for event in Journal(path / "journal.jsonl").events()]
    records = [json.loads(file.read_text(encoding="utf-8")) for file in path.glob("trials/*.json")]
    return {"seconds": spent[-1] - spent[0], "records": records}


class _Process:
    """A chief or a worker, whose words go into a file."""

    def __init__(self, command: list[str], words: pathlib.Path) -> None:
        self._words = words
        with words.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)

    def is_running(self) -> bool:
        """Whether it has not ended yet.

        Raises:
          errors.FailedError: it has, and failed.
        """
        if self._process.poll():
            said = subprocess_call.last_words(self._words.read_text(encoding="utf-8", errors="replace"))
            raise errors.FailedError(f"{self._words.stem} ended with {self._process.returncode}: {said}")
        return self._process.returncode is None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def _memory_mib() -> float:
    """Resident memory of this process and of what it has started."""
    total, own = 0, psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20
