"""Calls of binaries with bad input, in this process or in one of their own, and what is wrong with the answer."""

import contextlib
import importlib
import io
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from unittest import mock

from absl import flags

from pipeline.common import app
from pipeline.common.config import CHECKOUT
from pipeline.datasets import download
from tests.faults.bad_input.table import FILE, FOLDER, Entry


class BeganWorkError(BaseException):
    """A binary took its flags for correct."""


def in_this_process(entry: Entry, folder: pathlib.Path) -> str:
    """What is wrong with the refusal of a binary that is called here; "" if nothing is. Its work never begins."""
    module = importlib.import_module(entry.binary)
    stderr = io.StringIO()
    code: object = 0
    with _working_in(folder), _without_work(), mock.patch.object(sys, "argv", [entry.binary, *entry.arguments]):
        before = _files(folder)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(stderr):
            try:
                app.run(module.main, getattr(module, "flags", None))
            except SystemExit as ended:
                code = ended.code
            except BeganWorkError as error:
                return f"accepted: began with {error}"
        return _problem(entry, code, stderr.getvalue(), before, _files(folder))


def on_the_command_line(entry: Entry, folder: pathlib.Path) -> str:
    """As `in_this_process`, in a process of its own."""
    with _working_in(folder):
        before = _files(folder)
        command = [sys.executable, "-m", entry.binary, *entry.arguments]
        environment = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False
        )
        return _problem(entry, done.returncode, done.stderr, before, _files(folder))


def _problem(entry: Entry, code: object, stderr: str, before: set[str], after: set[str]) -> str:
    lines = stderr.splitlines()
    last = lines[-1] if lines else ""
    name = last.removeprefix("error: ")
    if code != 2:
        return f"exit code {code}: {last[:200]}"
    if "Traceback" in stderr or len(lines) != 1 or not last.startswith("error: "):
        return f"expected one line, got {stderr[-200:]!r}"
    if not name.startswith(entry.flag) or name[len(entry.flag) : len(entry.flag) + 1] not in ("=", ":", " "):
        return f"expected {entry.flag} first, got {last[:200]!r}"
    if len(last) > app.MAX_LENGTH + 20:
        return f"expected at most {app.MAX_LENGTH} characters, got {len(last)}"
    return f"new files: {sorted(after - before)}" if after - before else ""


@contextlib.contextmanager
def without_flags(own: app.Flags) -> Iterator[None]:
    """A context in which the flags of the binary that runs are not defined, so that others with their names can be."""
    flags.FLAGS.remove_flag_values(own.values)
    try:
        yield
    finally:
        flags.FLAGS.append_flag_values(own.values)


@contextlib.contextmanager
def _working_in(folder: pathlib.Path) -> Iterator[None]:
    """A context in which the working folder has FILE and FOLDER, and nothing else."""
    (folder / FILE).touch()
    (folder / FOLDER).mkdir(exist_ok=True)
    with contextlib.chdir(folder):
        yield


def _files(folder: pathlib.Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@contextlib.contextmanager
def _without_work() -> Iterator[None]:
    """A context in which downloading data, loading TensorFlow and starting a process raise BeganWorkError."""

    def began(name: str) -> mock.Mock:
        return mock.Mock(side_effect=BeganWorkError(name))

    with contextlib.ExitStack() as stack:
        for owner, name in (
            (app, "load_tensorflow"),
            (download, "fetch"),
            (subprocess, "Popen"),
            (BaseProcess, "start"),
        ):
            stack.enter_context(mock.patch.object(owner, name, began(name)))
        yield
