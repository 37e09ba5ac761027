"""What `benchmarks.tuner` measures: whole sessions of a model that trains in a second, and their memory."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.harness import memory, subprocess_call, tuner_sessions
from pipeline.common import errors
from pipeline.common.process.environment import THREADS
from pipeline.data_config import SourceConfig
from tuning.sessions.config import SessionConfig
from tuning.sessions.journal import Journal
from tuning.sessions.search_space import Space

SAMPLE_SECONDS = 0.2
TUNER = "grid"
Round = Mapping[str, Mapping[int, Mapping[str, Any]]]  # the result of each session, by its kind and workers


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
    """The data set of the sessions, prepared in a folder."""
    from pipeline import prepare

    source = SourceConfig(dataset=tuner_sessions.DATASET, data_dir=str(folder / "data"))
    prepare.prepare(source)
    return source


def run_round(
    folder: pathlib.Path, source: SourceConfig, trials: int, workers: Sequence[int], with_loopback: bool
) -> Round:
    """Run a session of each number of workers in a new folder, and one over loopback if asked.

    Returns:
      {"workers": results of `run`, "loopback": results of `run_over_loopback`}, each by the number of workers.
    """
    folder.mkdir()
    results: dict[str, dict[int, dict[str, Any]]] = {"workers": {}, "loopback": {}}
    for number in workers:
        results["workers"][number] = run(folder / f"workers_{number}", source, trials, number)
        if with_loopback:
            results["loopback"][number] = run_over_loopback(folder / f"loopback_{number}", source, trials, number)
    return results


def run(path: pathlib.Path, source: SourceConfig, trials: int, workers: int) -> dict[str, Any]:
    """Seconds and records of a session, and samples of (trials ended, MiB) during it."""
    from tuning.sessions import search, session

    limits: dict[str, Any] = {"max_trials": trials, "max_epochs": tuner_sessions.MAX_EPOCHS}
    config = SessionConfig(space="measured", tuner=TUNER, workers=workers, **limits)
    space = Space("measured", tuner_sessions.choose, tuner_sessions.BASE)

    def sample() -> tuple[int, float]:
        return len(list(path.glob("trials/*.json"))), memory.resident_mib(with_children=True)

    with session.open_session(path, config, space, source) as opened:
        with memory.sampling(sample, SAMPLE_SECONDS) as samples:
            began = time.perf_counter()
            try:
                search.run(opened)
            except errors.InterruptedRunError as interrupt:  # nothing continues a session in a temporary folder
                raise KeyboardInterrupt from interrupt
            seconds = time.perf_counter() - began
        return {"seconds": seconds, "records": opened.folder.records(), "samples": samples}


def run_over_loopback(path: pathlib.Path, source: SourceConfig, trials: int, workers: int) -> dict[str, Any]:
    """The seconds from the first trial on, and the records, of a session of a chief and its workers on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = tuner_sessions.command(path, str(source.data_dir), TUNER, trials)
    with contextlib.ExitStack() as stack:
        log = path.with_name(f"{path.name}_chief.txt")
        running = {log: stack.enter_context(_logged(log, [*command, f"--serve={address}"]))}
        while not (path / "session.json").exists():
            _check_running(running)
            time.sleep(SAMPLE_SECONDS)
        for number in range(workers):
            log = path.with_name(f"{path.name}_worker_{number}.txt")
            running[log] = stack.enter_context(_logged(log, [*command, f"--join={address}"]))
        while _check_running(running):
            time.sleep(SAMPLE_SECONDS)
    spent = [event["spent_s"] for event in Journal(path / "journal.jsonl").events()]
    records = [json.loads(file.read_text(encoding="utf-8")) for file in path.glob("trials/*.json")]
    return {"seconds": spent[-1] - spent[0], "records": records}


@contextlib.contextmanager
def _logged(log: pathlib.Path, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A context of a chief or a worker, whose stderr goes into a file."""
    with log.open("wb") as file, subprocess_call.started(command, stdout=subprocess.DEVNULL, stderr=file) as process:
        yield process


def _check_running(processes: Mapping[pathlib.Path, subprocess.Popen[str]]) -> bool:
    """Whether any of the processes, by the files of their stderr, still runs; FailedError where one has failed."""
    for log, process in processes.items():
        if process.poll():
            line = subprocess_call.last_line(log.read_text(encoding="utf-8", errors="replace"))
            raise errors.FailedError(f"{log.stem}: exit code {process.returncode}: {line}")
    return any(process.returncode is None for process in processes.values())
