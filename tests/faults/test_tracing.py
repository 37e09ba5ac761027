"""The harness itself, on a program that writes files, and a small size of it on the binaries."""

import pathlib
import random
import signal
import sys

import keras
import pytest

from models import train
from pipeline.common import errors, files
from tests.binaries import call_here
from tests.faults import kills, power_loss
from tests.faults.tracing import cases, contents, tracer
from tests.faults.tracing.cases import Case, Cases
from tests.faults.tracing.disk import Disk
from tests.faults.tracing.tracer import Action, TracedProcess

pytestmark = pytest.mark.skipif(not tracer.is_available(), reason="needs Linux and a C compiler")
ATOMIC = """
import pathlib, sys
from pipeline.common import files
folder = pathlib.Path(sys.argv[1], "made")
files.make_folder(folder)
for name in ("one.json", "two.json"):
    files.write_json(folder / name, list(range(2000)))
files.write_json(folder / "one.json", [1])
"""
PARTIAL = "partial"
NOT_ATOMIC = """
import pathlib, sys
path = pathlib.Path(sys.argv[1], "one.json")
if not path.exists():
    path.write_text("[1]")
"""
NOT_DURABLE = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
with open(folder / "journal", "ab", buffering=0) as file:
    file.write(b"one\\n")
    os.fsync(file.fileno())
    file.write(b"two\\n")
(folder / "a").write_text("a")
os.replace(folder / "a", folder / "b")
"""


def program(code: str) -> Case:
    """A case that runs a program, with its folder as argument."""
    return Case("program", lambda home, work: ["-c", code, str(work)])


def run(code: str, work: pathlib.Path, before=lambda _: Action.CONTINUE) -> int | None:
    with TracedProcess([sys.executable, "-c", code, str(work)], work, before) as process:
        return process.wait()


def test_every_operation_is_reported(tmp_path):
    seen = []

    def before(operation):
        name = PARTIAL if files.is_partial(operation.path.name) else operation.path.name
        seen.append((operation.kind, name, operation.second.name))
        return Action.CONTINUE

    assert run(ATOMIC, tmp_path, before) == 0
    write = [(kind, PARTIAL, "") for kind in ("create", "truncate", "write", "half", "fsync")]
    write += [("rename", PARTIAL, "one.json"), ("fsync", "made", "")]
    assert [operation for operation in seen if operation[0] != "start"][:9] == [
        ("mkdir", "made", ""),
        ("fsync", tmp_path.name, ""),
        *write,
    ]
    assert [operation for operation in seen if operation[0] != "start"][-7:] == write


@pytest.mark.parametrize("number", [1, 5, 7, 9])
def test_a_kill_leaves_what_was_there_before_the_operation(tmp_path, number):
    copy, work = tmp_path / "copy", tmp_path / "work"
    work.mkdir()

    def before(operation):
        if operation.number < number or operation.kind == "start":
            return Action.CONTINUE
        contents.copy(work, copy)
        return Action.KILL

    assert run(ATOMIC, work, before) == -signal.SIGKILL
    assert contents.raw(work) == contents.raw(copy)


def test_half_of_the_first_write_is_there_before_the_rest(tmp_path):
    def before(operation):
        return Action.KILL if operation.kind == "half" else Action.CONTINUE

    run(ATOMIC, tmp_path, before)
    (partial,) = (tmp_path / "made").iterdir()
    assert 0 < partial.stat().st_size < len(str(list(range(2000))))


@pytest.mark.parametrize(("code", "failures"), [(ATOMIC, 0), (NOT_ATOMIC, 2)])
def test_only_programs_that_do_not_end_alike_are_failures(tmp_path, code, failures):
    assert kills.at_every_operation(Cases(tmp_path), program(code))["failures"] == failures


FAILS_AGAIN = """
import pathlib, sys
pathlib.Path(sys.argv[1], "../../ran").touch(exist_ok=False)
"""


def test_command_that_fails_without_a_kill_ends_the_harness(tmp_path):
    with pytest.raises(errors.FailedError, match="FileExistsError"):
        kills.at_random_moments(Cases(tmp_path), program(FAILS_AGAIN), 1, Late())


class Late(random.Random):
    """Moments that come after the end of a command."""

    def uniform(self, a, b):
        return 60.0


def after_power_loss(tmp_path: pathlib.Path, code: str, *, loses_names: bool) -> pathlib.Path:
    """The folder of a program that has ended, as a power failure leaves it."""
    work, graveyard = tmp_path / "work", tmp_path / "graveyard"
    work.mkdir()
    graveyard.mkdir()
    disk = Disk(graveyard)

    def before(operation):
        disk.observe(operation)
        return Action.CONTINUE

    assert run(code, work, before) == 0
    disk.lose_power(work, loses_names=loses_names)
    return work


@pytest.mark.parametrize(
    ("loses_names", "left"), [(False, {"journal": "one\n", "b": ""}), (True, {})], ids=["bytes", "names"]
)
def test_what_is_not_synchronized_is_lost(tmp_path, loses_names, left):
    work = after_power_loss(tmp_path, NOT_DURABLE, loses_names=loses_names)
    assert {path.name: path.read_text() for path in work.iterdir()} == left


FOLDER_REMOVED = """
import os, pathlib, shutil, sys
work = pathlib.Path(sys.argv[1])
(work / "folder").mkdir()
(work / "folder" / "file").write_text("one")
shutil.rmtree(work / "folder")
parent = os.open(work, os.O_RDONLY)
os.fsync(parent)
"""


def test_what_was_in_a_folder_goes_with_it(tmp_path):
    assert list(after_power_loss(tmp_path, FOLDER_REMOVED, loses_names=True).iterdir()) == []


def test_durable_files_survive(tmp_path):
    row = power_loss.lose_power(Cases(tmp_path), program(ATOMIC), 6, random.Random(0))
    assert row["failures"] == 0
    assert row["moments_that_lost_something"] > 0


def test_files_that_are_not_durable_are_failures(tmp_path):
    assert power_loss.lose_power(Cases(tmp_path), program(NOT_ATOMIC), 4, random.Random(0))["failures"] > 0


def test_the_clock_of_python_can_be_set_back(tmp_path):
    code = "import pathlib, sys, time; now = time.time(), time.monotonic(); pathlib.Path(sys.argv[1], 'x').touch();"
    code += "print(time.time() - now[0], time.monotonic() - now[1])"
    command = [sys.executable, "-c", code, str(tmp_path)]
    back = lambda operation: Action.CLOCK_BACK if operation.kind == "create" else Action.CONTINUE  # noqa: E731
    with TracedProcess(command, tmp_path, back, clock_back_s=3600) as process:
        assert process.wait() == 0
        wall, monotonic = map(float, process.last_line().split())
    assert wall < -3500.0
    assert 0.0 <= monotonic < 60.0


LINEAR = Case("train", lambda home, work: ["-m", "models.train", *cases.LINEAR, *cases.data(home), f"--run_dir={work}"])


@pytest.fixture
def home(tmp_path_factory, tiny_data_dir) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("faults")
    (folder / "data").symlink_to(tiny_data_dir)
    return folder


def test_a_training_goes_on_after_a_power_failure_in_its_second_checkpoint(home, monkeypatch):
    tried = Cases(home)
    undisturbed, work = tried.work(LINEAR), tried.work(LINEAR)
    seen = []

    def fails(operation):
        seen.append(operation.kind == "half" and "state" in operation.path.name)
        return sum(seen) == 2

    assert power_loss.disturb(tried, LINEAR, work, fails, loses_names=True)
    for folder in (undisturbed, work):
        flags = LINEAR.arguments(home, folder)[2:]
        keras.utils.clear_session()  # the names of layers are numbered
        assert call_here(monkeypatch, train.main, train.flags, *flags) == 0
    assert contents.differences(contents.of_folder(undisturbed), contents.of_folder(work)) == []


def test_random_names_in_a_disk_cache_are_no_difference(tmp_path):
    for work, name in (("one", "4676811251677118187"), ("other", "10917002008102442928")):
        folder = tmp_path / work / "cache" / name
        folder.mkdir(parents=True)
        (folder / "00000000.snapshot").write_bytes(b"images")
        (folder.parent / "checksums.json").write_text(f'{{"{name}": "abc"}}')
    one, other = (contents.of_folder(tmp_path / work) for work in ("one", "other"))
    assert contents.differences(one, other) == []
    (tmp_path / "other" / "cache" / "10917002008102442928" / "00000000.snapshot").write_bytes(b"other")
    assert contents.differences(one, contents.of_folder(tmp_path / "other"))
