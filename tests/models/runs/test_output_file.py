"""Files that flags name do not take the place of a run's files or of an image."""

import json

import pytest

from models.runs import output_file
from pipeline.common import errors

PNG = b"\x89PNG\r\n\x1a\n" + bytes(99)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("predictions.json", b"{}", "is a file of the run there"),
        ("predictions.json", b"", "is a file of the run there"),  # which an evaluation has not written yet
        ("model.keras", b"PK", "is a file of the run there"),
        ("a.jpg", PNG, "is an image"),  # whatever its name
        (".", b"", "expected a file, got a folder"),
    ],
)
def test_file_that_would_be_lost_is_refused(tmp_path, name, content, reason):
    (tmp_path / "config.json").write_text(json.dumps({}))
    if content:
        (tmp_path / name).write_bytes(content)
    out = str(tmp_path / name)
    line = f"^figures={tmp_path}.*{reason}[^,]*; choose another --figures$|would be lost; choose another --figures$"
    with pytest.raises(errors.BadArgumentError, match=line):
        output_file.check(out, "figures")


@pytest.mark.parametrize("name", ["new/report.json", "rows.csv", "elsewhere/report.json"])
def test_other_files_may_be_written(tmp_path, name):
    (tmp_path / "config.json").write_text(json.dumps({}))
    (tmp_path / "elsewhere").mkdir()
    for there in ("rows.csv", "elsewhere/report.json"):
        (tmp_path / there).write_text("of an earlier call")
    assert output_file.check(str(tmp_path / name)) == tmp_path / name
