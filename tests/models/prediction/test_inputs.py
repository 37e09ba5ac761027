"""Arguments of a command become paths of files."""

import io
import os

import pytest

from models.prediction import inputs
from pipeline.common import errors


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with images, empty ones: nothing is read."""
    for name in ("b.png", "a.png", "notes.txt", "sub/c.jpg", "sub/deep/d.png", "sub/notes.txt", "x[1].png", "x1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def find(*arguments: str, stdin: bytes = b"") -> list[str]:
    return inputs.find(arguments, io.BytesIO(stdin))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["b.png", "a.png", "b.png"], ["b.png", "a.png", "b.png"]),
        (["./a.png", "sub/../a.png"], ["./a.png", "sub/../a.png"]),
        (["notes.txt"], ["notes.txt"]),
        (["sub"], ["sub/c.jpg", "sub/deep/d.png"]),
        (["sub/"], ["sub/c.jpg", "sub/deep/d.png"]),
        (["[ab].png"], ["a.png", "b.png"]),
        (["x[1].png"], ["x[1].png"]),
        (["x[1].pn?"], ["x1.png"]),
        (["s*"], ["sub/c.jpg", "sub/deep/d.png"]),
        (["sub/**"], ["sub/c.jpg", "sub/deep/d.png", "sub/notes.txt"]),
        (["**/*.png"], ["a.png", "b.png", "sub/deep/d.png", "x1.png", "x[1].png"]),
        (["a.png", "none.png", "none*"], ["a.png", "none.png", "none*"]),
    ],
)
def test_paths_are_those_that_were_named(here, arguments, expected):
    assert find(*arguments) == expected


def test_list_on_standard_input_may_have_names_of_any_bytes(here):
    strange = [os.fsdecode(name) for name in (b" a b.png", b"caf\xe9.png", b"*.png", b"-")]
    for name in strange:
        (here / name).touch()
    listed = ["a.png", *strange, "sub"]
    expected = ["a.png", *strange, "sub/c.jpg", "sub/deep/d.png"]
    assert find("-", stdin=b"\n".join(map(os.fsencode, listed))) == expected
    assert find("-", stdin=b"\n\n".join(map(os.fsencode, listed)) + b"\n") == expected
    assert find("-", stdin=b"\0".join(map(os.fsencode, ["a.png", "two\nlines"]))) == ["a.png", "two\nlines"]
    assert find("b.png", "-", stdin=b"a.png\n") == ["b.png", "a.png"]


def test_home_folder_in_a_quoted_pattern(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert find("~/[ab].png") == [str(here / "a.png"), str(here / "b.png")]


@pytest.mark.parametrize(("arguments", "stdin"), [(["none.png"], b""), (["z*"], b""), (["-"], b""), (["-"], b"none\n")])
def test_nothing_there_is_one_error(here, arguments, stdin):
    with pytest.raises(errors.BadArgumentError, match=r"^no image found in "):
        find(*arguments, stdin=stdin)


def test_folder_without_images_is_an_error(here):
    (here / "empty").mkdir()
    with pytest.raises(errors.BadArgumentError, match="empty"):
        find("empty")
