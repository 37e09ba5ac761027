"""A binary without TensorFlow: what it does is its environment variable `DOES`."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from pipeline.common import app, errors, progress
from pipeline.common.process import signals
from tests.conftest import ROOT


def call(does: str, folder: pathlib.Path, *wrapper: str, numbers: Sequence[int] = ()) -> subprocess.CompletedProcess:
    """Call the binary in an empty folder, its command the last arguments of `wrapper`, such as nohup's."""
    command = [*wrapper, sys.executable, "-m", "tests.pipeline.common.process.stub"]
    sent = " ".join(str(int(number)) for number in numbers)
    values = {**os.environ, "PYTHONPATH": str(ROOT), "DOES": does, "SIGNALS": sent}
    return subprocess.run(command, cwd=folder, env=values, capture_output=True, text=True, check=False)


def signal_itself() -> None:
    for number in os.environ.get("SIGNALS", "").split():
        os.kill(os.getpid(), int(number))


def work() -> None:
    """As models.evaluate: what is under way is cleaned up."""
    try:
        signal_itself()
        pathlib.Path("ignored").touch()
    finally:
        signal_itself()
        pathlib.Path("cleaned").touch()


def load() -> None:
    """As a library that replaces a KeyboardInterrupt during its import by an error of its own."""
    with progress.task("loading a library"):
        try:
            signal_itself()
        except KeyboardInterrupt as error:
            raise ImportError from error


def train() -> None:
    """As models.train: the state is saved after the step."""
    with signals.Requests(listen=True) as requests:
        signal_itself()
        pathlib.Path("begun").touch()
        while not requests.received:
            time.sleep(0.01)
            print(".", end="", flush=True)
        print("saving")
        pathlib.Path("saved").touch()
    signal_itself()
    raise errors.InterruptedRunError("interrupted; saved")


def train_for_a_person() -> None:
    """Save for a second after Ctrl-C, and be interrupted again."""
    signals.REPEAT_SECONDS = 0.0
    with signals.Requests(listen=True):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pathlib.Path("saved").touch()


def write() -> None:
    """Print, and write a file that would get a descriptor of a missing stream."""
    with open("data", "w", encoding="ascii") as file:
        for _ in range(3):
            print("printed", flush=True)
            print("printed", file=sys.stderr, flush=True)
        with contextlib.suppress(OSError):
            os.write(2, b"printed by a library\n")
        file.write("data")
    print("é")


if __name__ == "__main__":
    app.run(globals()[os.environ["DOES"]], work="the training")
