"""Train for many epochs and search for many trials, and check that memory, open files and threads do not grow.

    python -m tests.faults.soak --epochs=300 --trials=100

A linear model is trained on shapes100_tiny, in this process; a tuner session of such models runs in another one.
Measured are this process after each epoch, and the session's process after each trial. Memory is the slope of a line
through the resident memory, in KiB per epoch or trial. Files and threads are the difference between the lower quartiles
of the second and of the first half: some are open, and others closed, for a moment. The first third is warm-up and does
not count. The exit code is 1 if memory grows by more than 64 KiB per epoch or trial, or if a file or a thread is left.
"""

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterable

import numpy as np
import psutil

from benchmarks.harness import subprocess_call, tuner_sessions
from models.reporting import table
from pipeline.common import app, errors, markdown_table, progress
from pipeline.common.markdown_table import field
from pipeline.data_config import SourceConfig

MAX_KIB = 64.0  # per epoch or trial
POLL_SECONDS = 0.2
SPACE = """\
from benchmarks.harness.tuner_sessions import BASE

def space(hp):
    return {**BASE, "learning_rate": hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")}
"""

flags = app.Flags()
EPOCHS = flags.DEFINE_integer("epochs", 300, "number of epochs", lower_bound=6)
TRIALS = flags.DEFINE_integer("trials", 100, "number of trials", lower_bound=6)


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a process uses at one moment."""

    kib: float
    files: int
    threads: int

    @classmethod
    def of(cls, process: psutil.Process) -> "Sample":
        """The sample of a process now."""
        return cls(process.memory_info().rss / 1024, process.num_fds(), process.num_threads())


@dataclasses.dataclass(frozen=True)
class Growth:
    """How much more a process uses at its end than after its warm-up."""

    name: str
    samples: int
    kib: float  # per sample
    files: int
    threads: int

    @classmethod
    def of(cls, name: str, samples: list[Sample]) -> "Growth":
        """The growth over samples, of which the first third is warm-up."""
        steady = samples[len(samples) // 3 :]
        slope, _ = np.polyfit(range(len(steady)), [sample.kib for sample in steady], 1)
        before, after = steady[: len(steady) // 2], steady[len(steady) // 2 :]
        files, threads = (
            _usual(getattr(sample, name) for sample in after) - _usual(getattr(sample, name) for sample in before)
            for name in ("files", "threads")
        )
        return cls(name, len(samples), float(slope), files, threads)

    @property
    def is_constant(self) -> bool:
        """Whether memory grows by at most MAX_KIB, and neither files nor threads are left."""
        return self.kib <= MAX_KIB and self.files <= 0 and self.threads <= 0


def _usual(numbers: Iterable[int]) -> int:
    """The lower quartile: a folder is open while it is synchronized, and a worker that is replaced has no pipes."""
    return int(np.percentile(list(numbers), 25, method="lower"))


def main() -> None:
    """Train, search, report."""
    app.load_tensorflow()
    from pipeline import prepare

    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        home = pathlib.Path(folder)
        prepare.prepare(SourceConfig(dataset=tuner_sessions.DATASET, data_dir=str(home / "data")))
        with progress.task("training", EPOCHS.value, "epochs") as task:
            rows = [Growth.of("epochs", train(home / "data", EPOCHS.value, task.advance))]
        with progress.task("searching", TRIALS.value, "trials") as task:
            rows.append(Growth.of("trials", search(home, TRIALS.value, task.advance)))
    columns = [field("name"), field("samples", format), field("kib", "{:.1f}".format, "KiB each")]
    columns += [field("files", format), field("threads", format)]
    texts = markdown_table.cells(columns, rows)
    table.wide_console().print(table.of_texts(texts, "growth after warm-up", folds_numbers=False))
    growing = [row.name for row in rows if not row.is_constant]
    if growing:
        raise errors.FailedError(f"{' and '.join(growing)}: expected at most {MAX_KIB:g} KiB each, no file, no thread")


def train(data_dir: pathlib.Path, epochs: int, each: Callable[[], None]) -> list[Sample]:
    """Train in this process; a sample after each epoch."""
    import keras

    from models.config import from_preset
    from models.training import loop

    values = {**tuner_sessions.BASE, "dataset": tuner_sessions.DATASET, "data_dir": str(data_dir)}
    preset = values.pop("preset")
    process, samples = psutil.Process(), []

    def measure(*_: object) -> None:
        samples.append(Sample.of(process))
        each()

    callback = keras.callbacks.LambdaCallback(on_epoch_end=measure)
    loop.train(*from_preset(str(preset), **values, epochs=float(epochs)), callbacks=[callback], verbose=0)
    return samples


def search(home: pathlib.Path, trials: int, each: Callable[[], None]) -> list[Sample]:
    """Run a session; a sample of its process after each trial."""
    session = home / "session"
    command = tuner_sessions.command(session, str(home / "data"), "random", trials)
    space = home / "soak_space.py"
    space.write_text(SPACE, encoding="utf-8")
    command = [f"--space={space}" if word.startswith("--space=") else word for word in command]
    command = ["--max_epochs=1" if word.startswith("--max_epochs=") else word for word in command]
    samples: list[Sample] = []
    with (home / "session.log").open("w") as log, subprocess_call.started(command, stdout=log, stderr=log) as running:
        process = psutil.Process(running.pid)
        while running.poll() is None:
            if len(list((session / "trials").glob("*.json"))) > len(samples):
                samples.append(Sample.of(process))
                each()
            time.sleep(POLL_SECONDS)
        if running.returncode:
            raise errors.FailedError(f"the session: {(home / 'session.log').read_text()[-500:]}")
    return samples


if __name__ == "__main__":
    app.run(main, flags)
