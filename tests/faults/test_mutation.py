"""Mutants are single changes of behaviour, drawn by a seed, and a mutant is killed if a test of its module fails."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.faults.mutation import runner
from tests.faults.mutation.mutants import draw, mutants
from tests.faults.mutation.targets import EQUIVALENT, TESTS

SOURCE = '''"""A module."""


def clamp(value: int, low: int = 0) -> int:
    """At least `low`."""
    if value < low:
        return low
    return value
'''


def changes(source: str) -> set[tuple[str, str]]:
    return {(mutant.before, mutant.after) for mutant in mutants("module.py", source)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = a < b", "x = (a <= b)"),
        ("x = a + b", "x = (a - b)"),
        ("x = a and b", "x = (a or b)"),
        ("x = not a", "x = (a)"),
        ("x = a if b else c", "x = (c if b else a)"),
        ("x = f(a, b)", "x = (f(b, a))"),
        ("x = f(a, b=1)", "x = (f(a))"),
        ("x = 2", "x = 3"),
        ("x = 0.5", "x = 1.0"),
        ("x = True", "x = False"),
        ("x = 'name'", "x = 'name_'"),
        ("f()", "pass"),
        ("a.b = c", "pass"),
        ("x += y", "pass"),
        ("raise error", "pass"),
    ],
)
def test_each_kind_of_change_is_made(before, after):
    assert (before, after) in changes(before)


def test_returned_value_becomes_none():
    assert ("return value", "return None") in changes(SOURCE)


@pytest.mark.parametrize(
    "source", ["import a", '"""A module."""', "x: f(1) = y", "x = f'{a + 1}'", "x = 'a text'", "x = max(a, b)", "x = y"]
)
def test_what_changes_no_result_is_left_alone(source):
    assert not changes(source)


def test_text_of_an_exception_is_left_alone():
    assert changes("raise ValueError('name')") == {("raise ValueError('name')", "pass")}


def test_draw_follows_from_the_seed_and_not_from_other_lines():
    drawn = draw([("module.py", SOURCE)], 3, seed=0)
    assert len(drawn) == 3
    assert drawn == draw([("module.py", SOURCE)], 3, seed=0)
    assert drawn != draw([("module.py", SOURCE)], 3, seed=1)
    later = draw([("module.py", "\n" + SOURCE)], 3, seed=0)
    assert [mutant.key for mutant in later] == [mutant.key for mutant in drawn]
    assert len(draw([("module.py", SOURCE)], 1000, seed=0)) < 1000


def test_mutants_are_killed_or_survive_in_a_copy(tmp_path):
    worker = tmp_path / f"{runner.worker.__name__.replace('.', '/')}.py"
    worker.parent.mkdir(parents=True)
    shutil.copyfile(runner.worker.__file__, worker)
    (tmp_path / "module.py").write_text(SOURCE)
    (tmp_path / "test_module.py").write_text("import module\n\ndef test():\n    assert module.clamp(-1) == 0\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    drawn = [mutant for mutant in mutants("module.py", SOURCE) if mutant.before == "if value < low:"]
    drawn += [mutant for mutant in mutants("module.py", SOURCE) if "low: int = 1" in mutant.after]
    outcomes = {}

    def each(mutant, result):
        outcomes[mutant.after] = result

    runner.run(tmp_path, drawn, {"module.py": ["test_module.py"]}, each, libraries=[])
    killed = {"def clamp(value: int, low: int = 1) -> int:": runner.KILLED}
    assert outcomes == {"if (value <= low):": runner.SURVIVED, **killed}
    assert (tmp_path / "module.py").read_text() == SOURCE


def test_tests_that_do_not_end_are_ended(tmp_path):
    (tmp_path / "test_endless.py").write_text("def test():\n    while True:\n        pass\n")
    arguments = ["-q", "-p", "no:cacheprovider", str(tmp_path)]
    assert runner.worker.run(0.0, arguments)[0] == "timeout"


def test_tests_end_with_the_process_that_runs_them(tmp_path):
    read, write = os.pipe()
    lines = [f"os.write({write}, b'begun')", "time.sleep(60)", f"os.write({write}, b'ended')"]
    source = "\n    ".join(["import os, time\n\ndef test():", *lines])
    (tmp_path / "test_long.py").write_text(f"{source}\n")
    command = [sys.executable, runner.worker.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[write], text=True) as process:
        os.close(write)
        print(json.dumps([3600, ["-q", "-p", "no:cacheprovider", str(tmp_path)]]), file=process.stdin, flush=True)
        assert os.read(read, 5) == b"begun"
        process.terminate()
    assert os.read(read, 5) == b""  # no process has the other end any more
    os.close(read)


def test_targets_exist():
    assert all(
        (ROOT / name.partition("::")[0]).exists() for tests in TESTS.values() for name in tests if name != "--deselect"
    )
    assert all((ROOT / module).is_file() for module in TESTS)


@pytest.mark.parametrize("key", EQUIVALENT)
def test_equivalent_mutants_are_of_lines_that_are_there(key):
    module, _, before, _ = key
    assert before in " ".join((ROOT / module).read_text(encoding="utf-8").split())
