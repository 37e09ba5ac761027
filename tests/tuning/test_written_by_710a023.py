"""A study and a tuner session that commit 710a023 left unfinished are refused; finished ones are reported.

It held out other images for validation.
"""

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


def ran(cwd: pathlib.Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def refused(folder: pathlib.Path, *command: str, cwd: pathlib.Path = ROOT) -> str:
    """The one line with which a command refuses a folder, which it leaves as it was."""

    def content() -> dict[str, bytes]:
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
        return {str(path): path.read_bytes() for path in files}

    before = content()
    done = ran(cwd, *command)
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
    flags = ("--study=fast_ablation", "--budget=smoke", "--workers=1", "--dataset=shapes100_tiny")
    flags += (f"--data_dir={tiny_data_dir}", f"--study_dir={folder}")
    line = refused(folder, *command("tuning.study", *flags, "--variants=all,relu", "--repeats=2"))
    assert line.startswith(f"error: study_dir={folder}: started by an earlier version")
    done = ran(ROOT, *command("tuning.study", *flags, "--variants=all", "--repeats=1"))  # whose job was finished
    assert done.returncode == 0, done.stderr
    assert (folder / "report.md").exists()


def session_flags(home: pathlib.Path, data_dir: str) -> list[str]:
    flags = ["--space=tiny_space.py", "--tuner=random", "--objective=both", "--max_trials=5", "--max_epochs=4"]
    flags += ["--seed=1", "--precision=float32", "--dataset=shapes100_tiny", f"--data_dir={data_dir}"]
    return [*flags, f"--session_dir={home / 'session'}"]


def test_session_is_refused(tiny_data_dir, tmp_path):
    """Two trials had ended, and the third was interrupted after its first epoch."""
    home = pathlib.Path(shutil.copytree(FOLDERS / "session_home", tmp_path / "home"))
    tune = command("tuning.tune", *session_flags(home, tiny_data_dir))
    line = refused(home / "session", *tune, cwd=home)
    assert line.startswith(f"error: session_dir={home / 'session'}: started by an earlier version")


def test_finished_session_is_reported_and_not_continued(tiny_data_dir, tmp_path):
    """It ended after its second trial."""
    home = pathlib.Path(shutil.copytree(FOLDERS / "session_home", tmp_path / "home"))
    session, flags = home / "session", session_flags(home, tiny_data_dir)
    events = (session / "journal.jsonl").read_text().splitlines(keepends=True)
    (session / "journal.jsonl").write_text("".join(events[:-2]))
    shutil.rmtree(session / "runs")
    (session / "report.json").write_text("{}")
    line = refused(session, *command("tuning.tune", *flags, "--retrain_best"), cwd=home)
    assert line.startswith(f"error: session_dir={session}: started by an earlier version")
    journal = (session / "journal.jsonl").read_bytes()
    done = ran(home, *command("tuning.tune", *flags))
    assert done.returncode == 0, done.stderr
    assert len(json.loads((session / "report.json").read_text())["trials"]) == 2
    assert (session / "report.md").exists()
    assert (session / "journal.jsonl").read_bytes() == journal
