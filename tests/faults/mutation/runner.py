"""Runs the tests of a module on its mutants, in a copy of the repository."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline.common import errors
from tests.faults.mutation import worker
from tests.faults.mutation.mutants import Mutant

KILLED, TIMED_OUT, SURVIVED = "killed", "timed_out", "survived"
_RESULTS = {"passed": SURVIVED, "failed": KILLED, "timeout": TIMED_OUT}  # by the outcome of the tests
MIN_SECONDS, TIMES_SLOWER = 60.0, 3.0  # a mutant's tests time out after so many times what they take without it

Tests = Sequence[str]


class Copy:
    """A copy of the repository's files in a temporary folder, and the process that runs tests in it."""

    def __init__(self, root: pathlib.Path, folder: pathlib.Path, libraries: Sequence[str]) -> None:
        self.folder = folder / "copy"
        self._temporary = folder / "pytest"
        (folder / "temporary").mkdir()
        self._number = 1  # of the next file that is written, its time: Python's caches compare whole seconds
        for name in files(root):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, self.folder / name)
        self._errors = folder / "stderr"
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "TF_CPP_MIN_LOG_LEVEL": "2"}
        environment["TMPDIR"] = str(folder / "temporary")  # what tests leave there ends with it
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # which takes a second
        command = [sys.executable, "-m", worker.__name__, *libraries]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with self._errors.open("w") as stderr:
            self._process = subprocess.Popen(command, cwd=self.folder, env=environment, stderr=stderr, **pipes)

    def close(self) -> None:
        """End the process and its tests."""
        self._process.terminate()
        self._process.communicate()

    def run(self, tests: Tests, seconds: float) -> tuple[str, str]:
        """The outcome of the tests ("passed", "failed" or "timeout") and the end of what pytest printed."""
        arguments = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={self._temporary}", *tests]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([seconds, arguments]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise errors.FailedError(f"the process that runs the tests has ended: {self._errors.read_text()[-2000:]}")
        outcome, output = json.loads(answer)
        return outcome, output

    @contextlib.contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """A context in which a module of the copy is a mutant."""
        path = self.folder / mutant.module
        original = path.read_text(encoding="utf-8")
        self._write(path, mutant.source)
        try:
            yield
        finally:
            self._write(path, original)

    def _write(self, path: pathlib.Path, source: str) -> None:
        path.write_text(source, encoding="utf-8")
        os.utime(path, (self._number, self._number))
        self._number += 1


def files(root: pathlib.Path) -> list[str]:
    """The files of the repository that git does not ignore and that are there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (root / name).is_file()]


def run(
    root: pathlib.Path,
    drawn: Sequence[Mutant],
    tests: Mapping[str, Tests],
    each: Callable[[Mutant, str], None],
    libraries: Sequence[str] = worker.LIBRARIES,
) -> None:
    """Run the tests of each mutant's module on the mutant.

    Args:
      root: the repository.
      drawn: the mutants.
      tests: the tests of each module, as arguments of pytest.
      each: called with each mutant and KILLED, where a test fails, TIMED_OUT, where the tests take far longer than
        without it, or SURVIVED.
      libraries: what the tests import.

    Raises:
      errors.FailedError: the tests fail without a mutant.
    """
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Copy(root, pathlib.Path(folder), libraries)
        with contextlib.closing(copy):
            limits: dict[frozenset[str], float] = {}
            for mutant in drawn:
                some = tests[mutant.module]
                limit = limits.get(frozenset(some)) or limits.setdefault(frozenset(some), _limit(copy, some))
                with copy.changed(mutant):
                    outcome, _ = copy.run(some, limit)
                each(mutant, _RESULTS[outcome])


def _limit(copy: Copy, tests: Tests) -> float:
    """The seconds after which the tests of a module time out."""
    began = time.monotonic()
    outcome, output = copy.run(tests, 3600.0)
    if outcome != "passed":
        raise errors.FailedError(f"{' '.join(tests)}: expected tests that pass, got {outcome}: {output}")
    return max(MIN_SECONDS, TIMES_SLOWER * (time.monotonic() - began))
