"""Folders in which one process works at a time."""

import errno
import fcntl
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
            (tmp_path / "new" / "study" / "study.json").touch()
    assert sorted(os.listdir(tmp_path / "new" / "study")) == [locked_folder.LOCK, "study.json"]


def test_folder_in_which_nothing_was_written_is_left_as_it_was(tmp_path):
    for path in (tmp_path / "new" / "study", tmp_path):
        with open_study(path):
            assert os.listdir(path) == [locked_folder.LOCK]
        assert os.listdir(tmp_path) == []


def write_and_fail(path):
    with open_study(path):
        (path / "study.json").touch()
        raise ZeroDivisionError


def test_folder_of_a_call_that_failed_before_its_work_is_left_as_it_was(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write_and_fail(tmp_path / "new" / "study")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["study.json", "cells"])
def test_failed_call_keeps_what_a_later_one_continues(tmp_path, name):
    (tmp_path / "study.json").touch()
    (tmp_path / name).touch()
    with pytest.raises(ZeroDivisionError):
        write_and_fail(tmp_path)
    assert {"study.json", name} <= set(os.listdir(tmp_path))


def test_waiting_process_gets_a_lock_that_others_see_where_the_folder_was_removed(tmp_path):
    folder = tmp_path / "new"
    first = locked_folder.locked(folder)
    first.__enter__()
    with (
        locked_folder.locked(folder, on_wait=lambda: first.__exit__(None, None, None)),
        pytest.raises(errors.BusyError),
        locked_folder.locked(folder),
    ):
        pass
    assert not folder.exists()


def test_folder_of_another_kind_and_file_are_refused(tmp_path):
    (tmp_path / "config.json").touch()
    for path, got in ((tmp_path, "config.json"), (tmp_path / "config.json", "file")):
        with (
            pytest.raises(errors.BadArgumentError, match=rf"^study_dir={path}: expected .* got .*{got}"),
            open_study(path),
        ):
            pass
    assert os.listdir(tmp_path) == ["config.json"]


@pytest.mark.parametrize("leftover", [".lock", ".study.1f.partial.json", ".study.json.partial"])
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


@pytest.fixture(params=["ENOSYS", "ENOLCK", "EOPNOTSUPP", "EINVAL", "EBADF"])
def no_flock(request, monkeypatch):
    """A file system without locks."""

    def flock(*_):
        number = getattr(errno, request.param)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(locked_folder, "_warned", set())


def test_folder_without_flock_is_locked_on_this_machine_with_one_warning(tmp_path, no_flock, capsys):
    for _ in range(2):
        with open_study(tmp_path):
            with pytest.raises(errors.BusyError), open_study(tmp_path):
                pass
            with locked_folder.locked(tmp_path / ".."):
                pass
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {tmp_path}: cannot be locked")


def test_folder_without_flock_is_waited_for(tmp_path, no_flock, monkeypatch):
    monkeypatch.setattr(locked_folder, "_POLL_SECONDS", 0.0)
    first = locked_folder.locked(tmp_path)
    first.__enter__()
    with locked_folder.locked(tmp_path, on_wait=lambda: first.__exit__(None, None, None)):
        pass


@pytest.mark.parametrize("readable", [True, False])
def test_lock_file_of_another_user_is_no_obstacle(tmp_path, monkeypatch, readable):
    (tmp_path / locked_folder.LOCK).write_text("theirs")
    real_open = os.open

    def open_as_another_user(path, flags, *mode):
        is_theirs = path == tmp_path / locked_folder.LOCK and path.exists() and path.stat().st_size
        if is_theirs and (flags & os.O_RDWR or not readable):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", open_as_another_user)
    with open_study(tmp_path):
        with pytest.raises(errors.BusyError), open_study(tmp_path):
            pass
        assert (tmp_path / locked_folder.LOCK).read_text() == ("theirs" if readable else "")


def test_lock_file_can_be_read_by_all_users_whatever_the_umask(tmp_path):
    """huggingface/datasets#7900, astral-sh/uv#11324: the umask of who makes the lock file shuts others out."""
    before = os.umask(0o077)
    try:
        with locked_folder.locked(tmp_path):
            assert (tmp_path / locked_folder.LOCK).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_lock_that_another_user_is_about_to_make_readable_is_not_replaced(tmp_path, monkeypatch):
    lock = tmp_path / locked_folder.LOCK
    lock.touch()
    real_open, is_readable = os.open, []

    def open_as_another_user(path, flags, *mode):
        if path == lock and not (is_readable and flags == os.O_RDONLY):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real_open(path, flags, *mode)

    held = real_open(lock, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    monkeypatch.setattr(os, "open", open_as_another_user)
    monkeypatch.setattr(locked_folder.time, "sleep", lambda seconds: seconds and is_readable.append(True))
    with pytest.raises(errors.BusyError), open_study(tmp_path):
        pass
    os.close(held)


def test_folder_that_cannot_be_written_is_refused_although_its_lock_file_opens(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path))

    monkeypatch.setattr(locked_folder.files, "check_writable", refuse)
    with (
        pytest.raises(errors.BadArgumentError, match=rf"^study_dir={tmp_path}: cannot be written"),
        open_study(tmp_path),
    ):
        pass


def test_temporary_files_of_killed_processes_are_removed_but_not_in_folders_with_a_lock_of_their_own(tmp_path):
    (tmp_path / "study.json").write_text("{}")
    names = [
        ".report.1f.partial.json",
        ".state.partial",
        ".study.json.partial",
        "report.partial.json",
        ".partially.json",
    ]
    for folder in (tmp_path, tmp_path / "checkpoint", tmp_path / "runs" / "0"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).touch()
    (tmp_path / "runs" / "0" / locked_folder.LOCK).touch()
    with open_study(tmp_path):
        kept = sorted(names[3:])
        assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == kept
        assert sorted(path.name for path in tmp_path.glob("*part*")) == kept
        assert len(list((tmp_path / "runs" / "0").iterdir())) == 1 + len(names)
