"""Errors that reach the top of a binary are one line."""

import errno
import gc
import os
import pathlib
import sys

import pytest

from pipeline.common import app
from tests.binaries import call_here


def failed(monkeypatch, capsys, main) -> str:
    """The one line on stderr of a binary that fails."""
    assert call_here(monkeypatch, main, app.Flags()) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    return printed.err.removeprefix("error: ").rstrip()


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        (lambda folder: (folder / "none").read_bytes(), "{}/none: No such file or directory; correct the path"),
        (lambda folder: os.listdir(os.fsencode(folder / "none")), "{}/none: No such file or directory; correct"),
        (lambda folder: os.open(folder, os.O_RDWR), "{}: Is a directory; correct the path"),
        (lambda folder: (folder / ("x" * 300)).touch(), "{}/" + "x" * 300 + ": File name too long; correct"),
        (lambda folder: pathlib.Path("/proc/self/mem").read_bytes(), "a file: Input/output error; check the disk"),
        (lambda folder: os.ftruncate(2**30, 1), "a file: Bad file descriptor; run the same command again"),
    ],
)
def test_failed_file_operation_names_the_path_the_reason_and_what_to_do(tmp_path, monkeypatch, capsys, operation, line):
    line_there = failed(monkeypatch, capsys, lambda: operation(tmp_path))
    assert line_there.startswith(line.replace("{}", str(tmp_path)))


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.ESTALE])
def test_every_reason_has_a_remedy(monkeypatch, capsys, number):
    def main():
        raise OSError(number, os.strerror(number), "/data/x")

    path, _, rest = failed(monkeypatch, capsys, main).partition(": ")
    reason, _, remedy = rest.partition("; ")
    assert (path, reason) == ("/data/x", os.strerror(number))
    assert len(remedy.removesuffix("(--verbosity=1 shows the traceback)")) > 10


def test_error_of_a_library_keeps_its_type(monkeypatch, capsys):
    def main():
        raise KeyError("units")

    assert failed(monkeypatch, capsys, main).startswith("KeyError: 'units'")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--number=5", ">= 1000"),
        ("--number=many", "a whole number"),
        ("--share=half", "a number"),
        ("--choice=c", "a|b"),
        ("--answer=perhaps", "expected true or false, got 'perhaps'"),
    ],
)
def test_value_that_a_flag_cannot_have_is_one_line_with_what_is_expected(monkeypatch, capsys, argument, expected):
    own = app.Flags()
    own.DEFINE_integer("number", 2000, "A number.", lower_bound=1000)
    own.DEFINE_float("share", 0.5, "A share.")
    own.DEFINE_enum("choice", "a", ["a", "b"], "A choice.")
    own.DEFINE_bool("answer", False, "An answer.")
    assert call_here(monkeypatch, lambda: None, own, argument) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {argument.removeprefix('--')}: ")
    assert expected in line
    assert "('" not in line
    assert "--help" in line


def test_arguments_beside_flags_are_taken_where_a_binary_takes_them(monkeypatch, capsys):
    own, taken = app.Flags(takes_arguments=True), []
    own.DEFINE_bool("quick", False, "")

    def main():
        taken.append((own.arguments, own.values.quick))

    assert call_here(monkeypatch, main, own, "a.png", "--quick", "-", "b c", "--", "--d") == 0
    assert call_here(monkeypatch, main, own) == 0
    assert taken == [(("a.png", "-", "b c", "--d"), True), ((), False)]
    assert call_here(monkeypatch, main, app.Flags(), "a.png") == 2
    assert "'a.png'" in capsys.readouterr().err


@pytest.mark.parametrize("is_loaded", [False, True])
def test_garbage_collections_pass_over_what_tensorflow_loads(monkeypatch, is_loaded):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    if not is_loaded:
        monkeypatch.delitem(sys.modules, "tensorflow")
    before = gc.get_freeze_count()
    with app._without_collections():
        assert gc.isenabled() == is_loaded
        objects = [[] for _ in range(1_000)]
    assert gc.isenabled()
    assert (gc.get_freeze_count() >= before + len(objects)) == (not is_loaded)
