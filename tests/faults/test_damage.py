"""Every saved file in every kind of damage is read, or refused in one line that names it, without TensorFlow."""

import pytest

from pipeline.common import errors
from tests.faults.damage import kinds, readers


@pytest.mark.parametrize("file", readers.FILES, ids=lambda file: file.name)
def test_no_damage_is_mishandled(file, tmp_path):
    problems = {kind: readers.read(file, kind, tmp_path / str(number)) for number, kind in enumerate(kinds.KINDS)}
    assert {kind: problem for kind, problem in problems.items() if problem} == {}


@pytest.mark.parametrize("file", readers.FILES, ids=lambda file: file.name)
def test_undamaged_file_is_read(file, tmp_path):
    file.make(tmp_path / "made")
    file.read(tmp_path / "made")


@pytest.mark.parametrize("file", [file for file in readers.FILES if file.name == "config.json"])
def test_newer_version_is_reported_as_such(file, tmp_path):
    file.make(tmp_path / "made")
    kinds.damage(tmp_path / "made" / "config.json", "of a newer version")
    with pytest.raises((errors.FailedError, errors.BadArgumentError), match=r"config.json.*newer version.*update"):
        file.read(tmp_path / "made")


@pytest.mark.parametrize("kind", ["empty", "truncated", "random bytes", "a list", "every field is null", "missing"])
def test_damaged_report_is_named_with_what_to_do(kind, tmp_path):
    file = next(file for file in readers.FILES if file.name == "report.json")
    file.make(tmp_path / "made")
    kinds.damage(tmp_path / "made" / "report.json", kind)
    with pytest.raises(errors.FailedError, match=r"^run_dir=.*: report.json is (damaged|missing).*train again"):
        file.read(tmp_path / "made")
