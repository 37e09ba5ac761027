"""Situations of disks, locks and permissions that people reported of other projects."""

import errno
import fcntl
import json
import os

import pytest

from pipeline.common import errors, files, locked_folder


@pytest.fixture
def open_session(tmp_path):
    return lambda: locked_folder.open_locked(tmp_path, flag="session_dir", identity="session.json")


# ENOSYS on Lustre: tox-dev/filelock#67 waited for ever, rust-lang/cargo#3666 and python-poetry/poetry#8825 failed.
# EBADF on NFS 4, where flock is emulated: openwrt/buildscripts#1.
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EBADF])
def test_work_goes_on_where_flock_fails(tmp_path, monkeypatch, open_session, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    with open_session():
        files.write_json(tmp_path / "session.json", {})
        with pytest.raises(errors.BusyError), open_session():
            pass


# A lock file of another user, mode 0644, in a shared folder: huggingface/datasets#6589,
# huggingface/huggingface_hub#2580.
def test_lock_file_of_another_user_in_a_shared_folder(tmp_path, monkeypatch, open_session):
    (tmp_path / locked_folder.LOCK).touch(0o644)
    real_open = os.open

    def open_for_reading_only(path, flags, *mode):
        if path == tmp_path / locked_folder.LOCK and flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", open_for_reading_only)
    with open_session(), pytest.raises(errors.BusyError), open_session():
        pass


# CIFS and VirtualBox's shared folders do not synchronize folders: borgbackup/borg#1287, facebook/rocksdb#2929,
# libgit2/libgit2#5356, untitaker/python-atomicwrites#27.
def test_folder_that_the_file_system_does_not_synchronize(tmp_path, monkeypatch):
    real_fsync = os.fsync

    def fsync_files_only(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_files_only)
    files.write_json(tmp_path / "report.json", {"steps": 1})
    assert json.loads((tmp_path / "report.json").read_text()) == {"steps": 1}
