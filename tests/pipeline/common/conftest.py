"""What tests of control groups share."""

import pathlib
from collections.abc import Callable, Mapping

import pytest


@pytest.fixture
def control_groups(tmp_path) -> Callable[[str, Mapping[str, str]], tuple[pathlib.Path, pathlib.Path]]:
    """Writes the groups of a process and the files of their folders; returns both paths, as `cgroups` takes them."""

    def write(groups: str, files: Mapping[str, str]) -> tuple[pathlib.Path, pathlib.Path]:
        (tmp_path / "proc").write_text(groups + "\n")
        for name, text in files.items():
            (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / name).write_text(text)
        return tmp_path / "proc", tmp_path / "root"

    return write
