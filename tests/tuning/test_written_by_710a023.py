"""A study and a tuner session that commit 710a023 began are refused: it held out other images for validation."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from tests.binaries import command
from tests.conftest import ROOT
from tuning.studies import catalogue

FOLDERS = pathlib.Path(__file__).parent / "written_by_710a023"


def refused(folder: pathlib.Path, *command: str, cwd: pathlib.Path = ROOT) -> str:
    """The one line with which a command refuses a folder, which it leaves as it was."""

    def content() -> dict[str, bytes]:
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
        return {str(path): path.read_bytes() for path in files}

    before = content()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2, done.stderr
    assert content() == before
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("name", "rows"), json.loads((FOLDERS / "catalogue.json").read_text()).items())
def test_saved_cells_belong_to_variants_of_their_study(name, rows):
    study = catalogue.find(name)
    assert study.reference == rows["reference"]
    assert set(rows["variants"]) <= {row.name for row in (*study.variants, *study.combinations)}


def test_study_is_refused(tiny_data_dir, tmp_path):
    """One job was finished, one had failed, one was interrupted, and one had not begun."""
    folder = pathlib.Path(shutil.copytree(FOLDERS / "study", tmp_path / "study"))
    flags = ("--study=fast_ablation", "--budget=smoke", "--variants=all,relu", "--repeats=2", "--workers=1")
    flags += ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--study_dir={folder}")
    line = refused(folder, *command("tuning.study", *flags))
    assert line.startswith(f"error: study_dir={folder}: begun by an earlier version")


def test_session_is_refused(tiny_data_dir, tmp_path):
    """Two trials had ended, and the third was interrupted after its first epoch."""
    home = pathlib.Path(shutil.copytree(FOLDERS / "session_home", tmp_path / "home"))
    flags = ("--space=tiny_space.py", "--tuner=random", "--objective=both", "--max_trials=5", "--max_epochs=4")
    flags += ("--seed=1", "--precision=float32", "--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}")
    flags += (f"--session_dir={home / 'session'}",)
    line = refused(home / "session", *command("tuning.tune", *flags), cwd=home)
    assert line.startswith(f"error: session_dir={home / 'session'}: begun by an earlier version")
