"""Failed file operations of TensorFlow and TFDS, provoked: their messages are those of the installed versions."""

import contextlib
import errno
import os
import pathlib
import resource
import tempfile
from collections.abc import Callable, Iterator

import pytest
import tensorflow as tf
from tensorflow_datasets.core.utils import py_utils

from pipeline.common import errors, files

NOBODY = 65534
DATA = tf.data.Dataset.range(5_000)  # 40 kB, and more as records


def save(folder: pathlib.Path) -> None:
    DATA.save(f"{folder}/saved")


def write_records(folder: pathlib.Path) -> None:
    with tf.io.TFRecordWriter(f"{folder}/a.tfrecord") as writer:
        for _ in range(100):
            writer.write(b"x" * 1000)


def cache(folder: pathlib.Path) -> None:
    for _ in DATA.cache(f"{folder}/cache"):
        pass


def write_summary(folder: pathlib.Path) -> None:
    tf.summary.create_file_writer(f"{folder}/events").flush()


def profile(folder: pathlib.Path) -> None:
    with tf.profiler.experimental.Profile(f"{folder}/profile"):
        tf.ones(3)


def read_records(folder: pathlib.Path) -> None:
    for _ in tf.data.TFRecordDataset(f"{folder}/a.tfrecord"):
        pass


def read_in_a_graph(folder: pathlib.Path) -> None:
    tf.function(lambda: tf.io.read_file(f"{folder}/a.tfrecord"))()


def iterate_in_a_graph(folder: pathlib.Path) -> None:
    @tf.function
    def count() -> tf.Tensor:
        number = tf.constant(0)
        for _ in tf.data.TFRecordDataset(f"{folder}/a.tfrecord"):
            number += 1
        return number

    count()


WRITES = [save, write_records, cache, write_summary, profile]
READS = [read_records, read_in_a_graph, iterate_in_a_graph]


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    is_root = not os.geteuid()
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@contextlib.contextmanager
def limited_file_size() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def failed(operation: Callable[[pathlib.Path], None], folder: pathlib.Path) -> OSError:
    with pytest.raises(tf.errors.OpError) as caught:
        operation(folder)
    error = files.os_error(caught.value)
    assert error is not None, str(caught.value)
    assert error.strerror == os.strerror(error.errno)
    assert pathlib.Path(error.filename).is_relative_to(folder)
    return error


@pytest.mark.parametrize("operation", WRITES)
def test_full_disk(tmp_path, mount_tmpfs, operation):
    mount_tmpfs(tmp_path, 8_192)
    with contextlib.suppress(OSError):
        (tmp_path / "full").write_bytes(bytes(10_000))
    assert failed(operation, tmp_path).errno == errno.ENOSPC


@pytest.mark.parametrize("operation", WRITES)
def test_read_only_disk(tmp_path, mount_tmpfs, operation):
    mount_tmpfs(tmp_path, 8_192, "ro")
    assert failed(operation, tmp_path).errno == errno.EROFS


def test_full_device():
    with pytest.raises(tf.errors.ResourceExhaustedError) as caught, tf.io.gfile.GFile("/dev/full", "w") as file:
        file.write("x" * 10**6)
    assert (error := files.os_error(caught.value))
    assert (error.errno, error.filename) == (errno.ENOSPC, "/dev/full")


# `tensorflow.python.framework.errors_impl.PermissionDeniedError: /datasets`: udacity/sdc-issue-reports#467.
# Without the graphs: AutoGraph writes to the folder of temporary files, which may be closed to others.
@pytest.mark.parametrize("operation", [write_records, cache, write_summary, profile, read_records])
def test_folder_of_another_user(operation):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # TMPDIR may be closed to others
        folder = pathlib.Path(name)
        (folder / "a.tfrecord").touch(mode=0)
        folder.chmod(0o555)
        with without_privileges():
            assert failed(operation, folder).errno == errno.EACCES


@pytest.mark.parametrize("operation", [write_records, cache, *READS])
def test_missing_folder(tmp_path, operation):
    assert failed(operation, tmp_path / "a; folder").errno == errno.ENOENT


def test_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    assert failed(write_records, tmp_path / "file").errno == errno.ENOTDIR


@pytest.mark.parametrize("operation", [save, write_records])
def test_limit_of_file_sizes(tmp_path, operation):
    with limited_file_size():
        error = failed(operation, tmp_path)
    assert error.errno == errno.EFBIG


def test_disk_that_fails():
    with pytest.raises(tf.errors.UnknownError) as caught:
        tf.io.read_file("/proc/self/mem")
    assert (error := files.os_error(caught.value))
    assert (error.errno, error.filename) == (errno.EIO, "/proc/self/mem")


def test_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(errors.BadArgumentError, match=r"^profile=none: a\.tfrecord cannot be written \("),
        files.writing("profile", pathlib.Path("none")),
    ):
        write_records(pathlib.Path("none"))


def test_error_of_no_file_is_none():
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.ones((2, 3)) @ tf.ones((2, 3))
    assert files.os_error(caught.value) is None
    assert files.os_error(tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")) is None


@pytest.mark.parametrize("is_of_tensorflow", [False, True])
def test_error_that_tfds_raises_of_another(tmp_path, is_of_tensorflow):
    path = tmp_path / "none" / "a.tfrecord"

    def prepare():
        try:
            write_records(path.parent) if is_of_tensorflow else path.write_bytes(b"")
        except Exception as error:
            py_utils.reraise(error, prefix='Failed to finalize writing of split "train": ')

    with pytest.raises((RuntimeError, OSError)) as caught:
        prepare()
    assert not getattr(caught.value, "errno", None)
    assert (error := files.os_error(caught.value))
    assert (error.errno, str(error.filename)) == (errno.ENOENT, str(path))


def test_error_of_the_project_is_no_failed_operation(tmp_path):
    with pytest.raises(errors.FailedError) as caught, files.reading("run_dir=x: a", "b"):
        (tmp_path / "none").read_bytes()
    assert files.os_error(caught.value) is None
