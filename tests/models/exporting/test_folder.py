"""What an export replaces: an earlier one as it was written, and nothing of anybody else."""

import json
import os
import pathlib

import pytest

from models.exporting import folder
from pipeline.common import errors, files


def export(out: pathlib.Path, content: str = "first") -> None:
    """An export of a file in a folder, and a card."""
    with folder.replacing(out) as staging:
        (staging / "saved_model" / "assets").mkdir(parents=True)
        (staging / "saved_model" / "saved_model.pb").write_text(content)
        (staging / folder.MODEL_CARD).write_text("card")
        files.write_json(staging / folder.IDENTITY, {"files": folder.digests(staging)})


def exported(out: pathlib.Path) -> str:
    return (out / "saved_model" / "saved_model.pb").read_text()


@pytest.fixture
def out(tmp_path) -> pathlib.Path:
    """The folder of an earlier export."""
    export(tmp_path / "out")
    return tmp_path / "out"


def test_earlier_export_is_replaced(out):
    export(out, "second")
    assert exported(out) == "second"
    assert sorted(path.name for path in out.iterdir()) == ["MODEL_CARD.md", "export.json", "saved_model"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_check_needs_no_name_beside_or_within_the_folder(out):
    out = out.rename(out.with_name("any"))
    export(out, "second")
    (out.parent / "explained" / "any").mkdir(parents=True)
    files.check_folder_writable("explain", out.parent / "explained")


@pytest.mark.parametrize(
    "name", ["thesis.txt", "saved_model/thesis.txt", "MODEL_CARD.md", "saved_model/saved_model.pb"]
)
def test_added_and_changed_files_are_refused_and_stay(out, name):
    (out / name).write_text("all of it")
    with pytest.raises(errors.BadArgumentError, match=f"^out={out}: .*'{name}'.*move"):
        export(out, "second")
    assert (out / name).read_text() == "all of it"
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    (out / name).unlink()
    export(out, "second")
    assert exported(out) == "second"


def test_added_folder_and_link_are_refused(out):
    (out / "mine").mkdir()
    with pytest.raises(errors.BadArgumentError, match="'mine'"):
        folder.check(out)
    (out / "mine").rmdir()
    (out / "MODEL_CARD.md").rename(out.parent / "card")
    (out / "MODEL_CARD.md").symlink_to(out.parent / "card")
    with pytest.raises(errors.BadArgumentError, match=r"MODEL_CARD\.md"):
        folder.check(out)


@pytest.mark.parametrize("document", [{}, {"files": {}}, ["files"], {"files": ["thesis.txt"]}])
def test_folder_with_an_export_json_of_something_else_is_refused(tmp_path, document):
    (tmp_path / "export.json").write_text(json.dumps(document))
    with pytest.raises(errors.FailedError, match=f"^out={tmp_path}: .*choose another --out"):
        folder.check(tmp_path)


def test_file_that_is_added_during_an_export_stays(out):
    with pytest.raises(errors.BadArgumentError, match=r"thesis\.txt"), folder.replacing(out):
        (out / "thesis.txt").write_text("all of it")
    assert (out / "thesis.txt").read_text() == "all of it"
    assert exported(out) == "first"


@pytest.mark.parametrize("is_dangling", [False, True])
def test_target_of_a_link_is_replaced(out, is_dangling):
    link = out.parent / "links" / "link"
    link.parent.mkdir()
    link.symlink_to("../out")
    if is_dangling:
        folder.remove(out)
        with pytest.raises(errors.BadArgumentError, match="link to nowhere"):
            export(link)
        return
    export(link, "second")
    assert link.is_symlink()
    assert exported(out) == "second"
    assert [path.name for path in link.parent.iterdir()] == ["link"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["links", "out"]


def test_former_export_is_put_back_where_the_new_one_cannot_be_renamed(out, monkeypatch):
    rename = os.rename

    def failing(source, target):
        if pathlib.Path(target) == out and exported(pathlib.Path(source)) == "second":
            raise PermissionError(13, "Permission denied", str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(errors.BadArgumentError, match=f"^out={out}: "):
        export(out, "second")
    assert exported(out) == "first"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_folders_of_killed_exports_are_removed_and_those_under_way_stay(out):
    abandoned = out.with_name(files.partial_name("out"))
    abandoned.mkdir()
    (abandoned / "model.keras").write_text("half")
    others = [out.with_name(".out.notes.partial"), out.with_name(files.partial_name("other"))]
    for path in others:
        path.mkdir()
    with folder._temporary(out) as under_way:
        export(out, "second")
        assert {path.name for path in out.parent.iterdir()} == {"out", under_way.name, *(path.name for path in others)}
