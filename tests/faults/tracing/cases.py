"""The commands whose faults are tried: each works on a tiny data set, and continues when it is run again.

`Cases(home)` prepares once what they start from. A case works in a folder `work`, which the tracer watches and whose
content is compared.
"""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence

from benchmarks.harness import subprocess_call
from pipeline.common import errors
from tests.conftest import ROOT
from tests.faults.tracing import contents

DATASET = "shapes100_tiny"
LINEAR = ["--preset=linear", "--num_validation=500", "--batch_size=500", "--epochs=2"]
BATCH = 20  # calls that one process runs in a row
SPACE = "from benchmarks.harness.tuner_sessions import BASE, choose as space\n"
# Of networks that differ in cost, so that a front has several trials.
SPACE_OF_SIZES = """from benchmarks.harness.tuner_sessions import BASE


def space(hp):
    layers = hp.Int("hidden_layers", 0, 2)
    rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
    return {"fine_hidden_layers": layers, "fine_hidden_units": 64, "learning_rate": rate}
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """A command that is run again after a fault until it has ended."""

    name: str
    arguments: Callable[[pathlib.Path, pathlib.Path], list[str]]  # of Python, from the folders home and work
    begins_with: str = ""  # "trained" or "prepared": the folder below home that `work` starts as a copy of
    has_joining_worker: bool = False  # whether a worker joins the chief that the command is
    is_one_process: bool = False
    search: tuple[str, ...] = ()  # flags of a tuner session

    def command(self, home: pathlib.Path, work: pathlib.Path) -> list[str]:
        """The command."""
        return [sys.executable, *self.arguments(home, work), *self.search]


def data(home: pathlib.Path) -> list[str]:
    """The flags of the prepared data set."""
    return [f"--dataset={DATASET}", f"--data_dir={home / 'data'}"]


def _tune(home: pathlib.Path, work: pathlib.Path, space: str = "space.py") -> list[str]:
    flags = [f"--space={home / space}", "--max_epochs=2", f"--session_dir={work / 'session'}"]
    return ["-m", "tuning.tune", *flags, *data(home)]


def _pareto(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    return [*_tune(home, work, "sizes.py"), "--objectives=fine,petaflop", "--max_trials=6"]


def _train(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    # A run that may roll back keeps a second checkpoint.
    return ["-m", "models.train", *LINEAR, "--on_divergence=rollback", f"--run_dir={work / 'run'}", *data(home)]


def _workers(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    # Many short epochs: most kills then come in training, which each time goes on from another checkpoint.
    workers = ["--distribute=multi_worker", "--num_processes=2", "--restarts=100", "--epochs=60"]
    return [*_train(home, work), *workers]


def _prepare(_: pathlib.Path, work: pathlib.Path) -> list[str]:
    return ["-m", "pipeline.prepare", f"--dataset={DATASET}", f"--data_dir={work / 'data'}"]


def _evaluate(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    return ["-m", "models.evaluate", f"--run_dir={work / 'run'}", "--split=test", f"--data_dir={home / 'data'}"]


def _report(_: pathlib.Path, work: pathlib.Path) -> list[str]:
    return ["-m", "models.report", f"--run_dir={work / 'run'}"]


def _predict(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    flags = [f"--run_dir={work / 'run'}", "--split=test", f"--data_dir={home / 'data'}", f"--out={work / 'rows.txt'}"]
    return ["-m", "models.predict", *flags]


def _export(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    return ["-m", "models.export", f"--run_dir={work / 'run'}", "--format=litert", f"--data_dir={home / 'data'}"]


def _study(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    size = ["--study=padding", "--budget=smoke", "--repeats=1", "--workers=1"]
    return ["-m", "tuning.study", *size, f"--study_dir={work / 'study'}", *data(home)]


def _chief(home: pathlib.Path, work: pathlib.Path) -> list[str]:
    return [*_tune(home, work), f"--serve={_address(home)}"]


def _address(home: pathlib.Path) -> str:
    """The address of the chief; the port is free when it is first asked for."""
    path = home / "address"
    if not path.exists():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            path.write_text(f"127.0.0.1:{probe.getsockname()[1]}", encoding="ascii")
    return path.read_text(encoding="ascii")


def searched(tuner: str, trials: int = 4) -> tuple[str, ...]:
    """The flags of a search; the number of Hyperband's trials follows from its epochs."""
    return f"--tuner={tuner}", *([] if tuner == "hyperband" else [f"--max_trials={trials}"])


CASES = {
    case.name: case
    for case in (
        Case("train", _train, is_one_process=True),
        Case("prepare", _prepare, is_one_process=True),
        Case("evaluate", _evaluate, begins_with="trained", is_one_process=True),
        Case("report", _report, begins_with="trained", is_one_process=True),
        Case("predict", _predict, begins_with="trained", is_one_process=True),
        Case("export", _export, begins_with="trained", is_one_process=True),
        Case("tune", _tune, search=searched("random")),
        Case("worker", _tune, search=searched("random")),
        Case("pareto", _pareto),
        Case("chief", _chief, has_joining_worker=True, search=searched("random")),
        Case("study", _study),
        Case("workers", _workers),
    )
}


@contextlib.contextmanager
def begun(case: "Case") -> Iterator["Cases"]:
    """What a case starts from, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix=f"faults-{case.name}-") as home:
        cases = Cases(pathlib.Path(home))
        cases.begin(case)
        yield cases


class Cases:
    """The folder `home` with the data, a finished run and a space; and a new `work` folder for each try."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home.resolve()
        self._count = 0

    def begin(self, case: Case) -> None:
        """Make what a case starts from."""
        (self.home / "space.py").write_text(SPACE, encoding="utf-8")
        (self.home / "sizes.py").write_text(SPACE_OF_SIZES, encoding="utf-8")
        prepared = self.home / "prepared" / "data" if case.begins_with == "prepared" else self.home / "data"
        if case.name != "prepare":
            self._run("pipeline.prepare", f"--dataset={DATASET}", f"--data_dir={prepared}")
        if case.begins_with == "trained":
            run_dir = self.home / "trained" / "run"
            self._run("models.train", *LINEAR, f"--run_dir={run_dir}", *data(self.home))

    def work(self, case: Case, state: pathlib.Path | None = None) -> pathlib.Path:
        """A new folder to work in, as the case begins or as a copy of `state`."""
        self._count += 1
        folder = self.home / f"try-{self._count}" / "work"
        start = state or (self.home / case.begins_with if case.begins_with else None)
        if start:
            contents.copy(start, folder)
        else:
            folder.mkdir(parents=True)
        return folder

    def remove(self, work: pathlib.Path) -> None:
        """Remove a folder of `work`."""
        shutil.rmtree(work.parent)

    @contextlib.contextmanager
    def joining_worker(self, case: Case, work: pathlib.Path) -> Iterator[None]:
        """A context in which a worker of the chief runs, if the case has one, and is started again when it has ended.

        At the context's end it has ended.
        """
        command = [sys.executable, *_tune(self.home, work), *case.search, f"--join={_address(self.home)}"]
        is_over = threading.Event()

        def keep_running() -> None:
            while not is_over.wait(0.5):
                with subprocess_call.started(
                    command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
                ) as worker:
                    while worker.poll() is None and not is_over.wait(0.1):
                        pass

        thread = threading.Thread(target=keep_running)
        if case.has_joining_worker:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            if case.has_joining_worker:
                thread.join()

    def finish(self, case: Case, work: pathlib.Path) -> list[str]:
        """Run a case to its end; the last line of what it wrote, if it failed."""
        with (
            self.joining_worker(case, work),
            subprocess_call.started(
                case.command(self.home, work), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT
            ) as process,
        ):
            _, stderr = process.communicate()
        return [f"exit code {process.returncode}: {subprocess_call.last_line(stderr)}"] if process.returncode else []

    def finish_all(self, case: Case, works: Sequence[pathlib.Path]) -> Iterator[list[str]]:
        """As `finish` for several folders; commands without worker processes share a process (tracing/batch.py)."""
        if not case.is_one_process:
            yield from (self.finish(case, work) for work in works)
            return
        for first in range(0, len(works), BATCH):
            calls = [case.arguments(self.home, work) for work in works[first : first + BATCH]]
            with tempfile.NamedTemporaryFile(dir=self.home, suffix=".jsonl") as results:
                module, flags = calls[0][1], [json.dumps(call[2:]) for call in calls]
                self._run("tests.faults.tracing.batch", results.name, module, *flags)
                ends = [json.loads(line) for line in results.read().splitlines()]
            yield from ([f"exit code {end['code']}: {end['line']}"] if end["code"] else [] for end in ends)

    def _run(self, module: str, *flags: str) -> None:
        process = subprocess.run(
            [sys.executable, "-m", module, *flags], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if process.returncode:
            raise errors.FailedError(f"{module}: {subprocess_call.last_line(process.stderr)}")
