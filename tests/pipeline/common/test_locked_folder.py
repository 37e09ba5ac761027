"""Folders in which one process works at a time."""

import os
import pathlib
import subprocess
import sys

import pytest

from pipeline.common import errors, locked_folder
from tests.conftest import ROOT

HOLD = """
import pathlib, sys
from pipeline.common import locked_folder
with locked_folder.locked(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path):
    """A process that holds the lock of `tmp_path` until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def open_study(path):
    return locked_folder.open_locked(path, flag="study_dir", identity="study.json")


def test_busy_folder_is_refused_at_once_and_free_when_its_process_is_killed(tmp_path, other_process):
    with pytest.raises(errors.BusyError, match=rf"^study_dir={tmp_path}: another process"), open_study(tmp_path):
        pass
    other_process.kill()
    other_process.wait()
    with open_study(tmp_path):
        assert os.listdir(tmp_path) == [locked_folder.LOCK]


def test_busy_folder_is_waited_for_where_that_is_asked(tmp_path, other_process):
    waits = []

    def release():
        waits.append(other_process.poll())
        other_process.stdin.close()

    with locked_folder.locked(tmp_path, on_wait=release):
        assert waits == [None]


def test_new_folder_is_made_with_its_parents_and_opens_again(tmp_path):
    for _ in range(2):
        with open_study(tmp_path / "new" / "study"):
            pass


def test_folder_of_another_kind_and_file_are_refused(tmp_path):
    (tmp_path / "config.json").touch()
    for path, got in ((tmp_path, "config.json"), (tmp_path / "config.json", "file")):
        with (
            pytest.raises(errors.BadArgumentError, match=rf"^study_dir={path}: expected .* got .*{got}"),
            open_study(path),
        ):
            pass
    assert os.listdir(tmp_path) == ["config.json"]


@pytest.mark.parametrize("leftover", [".lock", ".study.partial.json", ".study.json.partial"])
def test_leftovers_of_a_killed_process_are_no_content(tmp_path, leftover):
    (tmp_path / leftover).touch()
    with open_study(tmp_path):
        pass


def test_folder_that_cannot_be_made_is_named(tmp_path):
    with (
        pytest.raises(errors.BadArgumentError, match=r"^study_dir=/proc/a: cannot be written"),
        open_study(pathlib.Path("/proc/a")),
    ):
        pass
