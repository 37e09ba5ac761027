"""The temporary files of a process end with it."""

import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

from pipeline.common import errors
from pipeline.common.process import temporary_folder
from tests.conftest import ROOT

WRITE = """
import sys, tempfile
from pipeline.common.process import temporary_folder
temporary_folder.use()
with tempfile.NamedTemporaryFile(prefix="__autograph_generated_file", delete=False) as file:  # as TensorFlow does
    print(file.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Starts a process that leaves a temporary file; returns it with the file's path."""
    processes = []

    def start_one():
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen([sys.executable, "-c", WRITE], cwd=ROOT, env=environment, **pipes))
        return processes[-1], pathlib.Path(processes[-1].stdout.readline().strip())

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


def test_nothing_stays_of_a_process_that_ends_and_the_next_one_removes_what_a_killed_one_left(tmp_path, start):
    killed, left = start()
    killed.kill()
    killed.wait()
    assert left.exists()
    living, theirs = start()
    ended, own = start()
    assert not left.exists()  # the files of the living process stay
    assert theirs.exists()
    assert own.parent.parent == theirs.parent.parent == tmp_path
    for process in (ended, living):
        assert process.communicate() == ("", "")
        assert process.returncode == 0
    assert os.listdir(tmp_path) == []


def test_files_of_others_stay(tmp_path):
    living = f"{temporary_folder.PREFIX}{os.getpid()}-x"
    (tmp_path / living).mkdir()  # of a process that could not lock it
    (tmp_path / "streaming-cifar100-0-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "another").mkdir()
    temporary_folder._sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["another", "elsewhere", "streaming-cifar100-0-link", living]


def test_temporary_folder_that_cannot_be_written_is_one_line(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/full"])
    with pytest.raises(errors.WriteError, match=r"^TMPDIR: .*/proc/full"):
        temporary_folder.use.__wrapped__()
