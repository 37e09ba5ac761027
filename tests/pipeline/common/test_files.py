"""Atomic replacement of files."""

import errno
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

from pipeline.common import errors, files
from tests.conftest import ROOT


def test_replaced_file_has_the_new_content_and_no_temporary_file_stays(tmp_path):
    path = tmp_path / "report.json"
    for number in (1, 2):
        files.write_json(path, {"number": number})
        assert files.read_json(path, "a", "b") == {"number": number}
    assert os.listdir(tmp_path) == ["report.json"]


def test_file_and_its_folder_are_synchronized_around_the_rename(tmp_path, monkeypatch):
    calls = []
    replace = os.replace
    monkeypatch.setattr(files, "fsync", lambda path: calls.append(path))
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("rename"), replace(*paths)))
    files.write_text(tmp_path / "state", "x")
    temporary, *others = calls
    assert files.is_partial(temporary.name)
    assert others == ["rename", tmp_path]


def test_interrupted_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")

    def write_half():
        with files.replacing(path) as temporary:
            assert temporary.suffix == ".keras"  # Keras and NumPy look at it
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["model.keras"])


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout", "folder", "pipe"])
def test_what_is_no_file_is_not_replaced(tmp_path, monkeypatch, name):
    """As root a rename may put a file in the place of any of them."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(os, "replace", lambda *_: pytest.fail("replaced"))
    path = tmp_path / name
    for write in (files.check_writable, lambda path: files.write_text(path, "text")):
        with pytest.raises(OSError, match="expected a file") as caught:
            write(path)
        assert caught.value.filename == str(path)
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_json_has_no_numbers_that_are_not_finite(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "report.json", {"loss": float("nan")})
    assert not os.listdir(tmp_path)


def test_missing_json_is_none(tmp_path):
    assert files.read_json(tmp_path / "report.json", "a", "b") is None
    assert files.read_json(tmp_path / "none" / "report.json", "a", "b") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 9, b'{"half": ', b'{"a": NaN}', b'{"a": 1e999}', b"[" * 99_999, b"\xff{}", b"[]", b'{"a": "1"}'],
)
def test_damaged_json_is_one_line(tmp_path, content):
    (tmp_path / "report.json").write_bytes(content)
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "number"}}}
    with pytest.raises(errors.DamagedError, match=r"^run_dir=x: report.json is damaged \(.+\); do this$") as caught:
        files.read_json(tmp_path / "report.json", "run_dir=x: report.json", "do this", schema=schema)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_json_of_any_unicode_encoding_is_read(tmp_path, encoding):
    (tmp_path / "report.json").write_text('{"a": "é"}', encoding=encoding)
    assert files.read_json(tmp_path / "report.json", "a", "b") == {"a": "é"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (zipfile.BadZipFile("half"), ValueError),
        (OSError("image file is truncated"), ValueError),  # of Pillow: without a number
        (OSError(errno.EINVAL, "a place before the file"), ValueError),
        (OSError(errno.EMFILE, "too many open files"), OSError),
        (MemoryError(), MemoryError),
        (errors.FailedError("of a newer version"), errors.FailedError),
    ],
    ids=repr,
)
def test_only_errors_of_the_content_become_value_errors(error, expected):
    with pytest.raises(expected) as caught, files.decoding():
        raise error
    assert type(caught.value) is expected


def test_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(errors.FailedError, match=r"^a cannot be read \(Is a directory\); b$"):
        files.read_json(tmp_path, "a", "b")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_failed_write_names_the_flag_the_file_and_the_reason(tmp_path, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))  # as a write() does: without a file name

    monkeypatch.setattr(files, "fsync", fail)
    expected = errors.BadArgumentError if number in files.WRONG_PLACE else errors.FailedError
    with pytest.raises(expected) as caught, files.writing("run_dir", tmp_path):
        files.write_text(tmp_path / "metrics.jsonl", "{}")
    start, _, remedy = str(caught.value).partition("; ")
    assert start == f"run_dir={tmp_path}: metrics.jsonl cannot be written ({os.strerror(number)})"
    assert remedy
    assert not os.listdir(tmp_path)


def test_error_of_another_file_passes(tmp_path):
    with pytest.raises(FileNotFoundError), files.writing("run_dir", tmp_path / "run"):
        (tmp_path / "other").read_text()


def test_error_of_a_folder_above_names_the_place(tmp_path):
    with (
        pytest.raises(errors.BadArgumentError, match=r"^run_dir=/proc/none/run: cannot be written \("),
        files.writing("run_dir", place := pathlib.Path("/proc/none/run")),
    ):
        files.make_folder(place)


def test_new_folders_are_synchronized(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(files, "fsync", calls.append)
    files.make_folder(tmp_path / "a" / "b")
    assert calls == [tmp_path, tmp_path / "a"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EBADF, errno.EINVAL, errno.EIO])
def test_folder_that_cannot_be_synchronized_is_no_error(tmp_path, monkeypatch, number):
    def fail(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    if number == errno.EIO:  # entries may be lost
        with pytest.raises(OSError, match=str(tmp_path / "new")):
            files.write_text(tmp_path / "new", "text")
        return
    files.write_text(tmp_path / "new", "text")
    assert (tmp_path / "new").read_text() == "text"


WRITE = """
import pathlib, sys
from pipeline.common import files
with files.replacing(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text("theirs")
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """A process that replaces the file `page.html` as soon as its stdin is closed."""
    command = [sys.executable, "-c", WRITE, str(tmp_path / "page.html")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


def test_two_processes_that_replace_one_file_do_not_meet(tmp_path, writer):
    """uma-pi1/kge#111, awslabs/aws-build-accumulator#36: their temporary files had one name."""
    files.write_text(tmp_path / "page.html", "ours")
    assert (tmp_path / "page.html").read_text() == "ours"
    writer.communicate()
    assert writer.returncode == 0
    assert (tmp_path / "page.html").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["page.html"]


def test_temporary_file_of_a_killed_process_is_removed_by_the_next_write(tmp_path, writer):
    (tmp_path / ".page.partial.html").write_text("of an earlier version")
    (tmp_path / ".other.partial.html").write_text("of another file")
    writer.kill()
    writer.wait()
    files.write_text(tmp_path / "page.html", "ours")
    assert sorted(os.listdir(tmp_path)) == [".other.partial.html", "page.html"]


def test_folder_that_cannot_be_written_is_the_one_that_exists(tmp_path, monkeypatch):
    def refuse(dir):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), f"{dir}/tmp123")  # where O_TMPFILE does not work

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)
    path = tmp_path / "new" / "a.png"
    expected = rf"^out={path}: cannot be written"
    with pytest.raises(errors.BadArgumentError, match=expected), files.writing("out", path):
        files.check_writable(path)
