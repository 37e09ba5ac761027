"""Atomic replacement of files."""

import os

import pytest

from pipeline.common import files


@pytest.mark.parametrize("durable", [False, True])
def test_replaced_file_has_the_new_content_and_no_temporary_file_stays(tmp_path, durable):
    path = tmp_path / "report.json"
    for number in (1, 2):
        files.write_json(path, {"number": number}, durable=durable)
        assert files.read_json(path) == {"number": number}
    assert os.listdir(tmp_path) == ["report.json"]


def test_durable_file_and_its_folder_are_synchronized_around_the_rename(tmp_path, monkeypatch):
    calls = []
    replace = os.replace
    monkeypatch.setattr(files, "fsync", lambda path: calls.append(path))
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("rename"), replace(*paths)))
    files.write_text(tmp_path / "state", "x", durable=True)
    assert calls == [tmp_path / ".state.partial", "rename", tmp_path]


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


def test_json_has_no_numbers_that_are_not_finite(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "report.json", {"loss": float("nan")})
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("content", [None, "", '{"half": '])
def test_missing_or_damaged_json_is_none(tmp_path, content):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    assert files.read_json(path) is None
