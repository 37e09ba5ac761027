"""A study and a tuner session that commit 710a023 left unfinished are refused; finished ones are reported.

It held out other images for validation.
"""

import json
import pathlib
import shutil
import types

import pytest

from models.config import presets
from tests.binaries import call_here
from tuning import study, tune
from tuning.studies import catalogue

FOLDERS = pathlib.Path(__file__).parent / "written_by_710a023"

# What the preset tiny had otherwise at that commit: a study of today's tiny is another study.
TINY_THEN = {"batch_size": 384, "learning_rate": 1.2, "epochs": 4.0}
TINY_THEN |= {"resolutions": ((20, 0.15), (24, 0.35), (32, 0.5))}


@pytest.fixture
def run(monkeypatch):
    """Runs a binary; its exit code."""
    return lambda binary, *flags: call_here(monkeypatch, binary.main, binary.flags, *flags)


@pytest.fixture
def refused(run, capsys):
    """Runs a binary that refuses a folder, which it leaves as it was; the line with which it does."""

    def refuse(folder: pathlib.Path, binary: types.ModuleType, *flags: str) -> str:
        def content() -> dict[str, bytes]:
            files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
            return {str(path): path.read_bytes() for path in files}

        before = content()
        assert run(binary, *flags) == 2
        assert content() == before
        return capsys.readouterr().err.splitlines()[-1]

    return refuse


CATALOGUE = json.loads((FOLDERS / "catalogue.json").read_text())
del CATALOGUE["architectures"]  # trained for equal epochs, which is another study than that of equal cost


@pytest.mark.parametrize(("name", "rows"), CATALOGUE.items())
def test_saved_cells_belong_to_variants_of_their_study(name, rows):
    study = catalogue.find(name)
    assert study.reference == rows["reference"]
    assert set(rows["variants"]) <= {row.name for row in (*study.variants, *study.combinations)}


def test_study_is_refused(tiny_data_dir, tmp_path, run, refused, monkeypatch):
    """One job was finished, one had failed, one was interrupted, and one had not begun."""
    monkeypatch.setitem(presets.PRESETS, "tiny", {**presets.PRESETS["tiny"], **TINY_THEN})
    folder = pathlib.Path(shutil.copytree(FOLDERS / "study", tmp_path / "study"))
    flags = ("--study=fast_ablation", "--budget=smoke", "--workers=1", "--dataset=shapes100_tiny")
    flags += (f"--data_dir={tiny_data_dir}", f"--study_dir={folder}")
    line = refused(folder, study, *flags, "--variants=all,relu", "--repeats=2")
    assert line.startswith(f"error: study_dir={folder}: started by an earlier version")
    assert run(study, *flags, "--variants=all", "--repeats=1") == 0  # whose job was finished
    assert (folder / "report.md").exists()


def session_flags(home: pathlib.Path, data_dir: str) -> list[str]:
    flags = ["--space=tiny_space.py", "--tuner=random", "--objective=both", "--max_trials=5", "--max_epochs=4"]
    flags += ["--seed=1", "--precision=float32", "--dataset=shapes100_tiny", f"--data_dir={data_dir}"]
    return [*flags, f"--session_dir={home / 'session'}"]


def test_session_is_refused(tiny_data_dir, tmp_path, monkeypatch, refused):
    """Two trials had ended, and the third was interrupted after its first epoch."""
    home = pathlib.Path(shutil.copytree(FOLDERS / "session_home", tmp_path / "home"))
    monkeypatch.chdir(home)
    line = refused(home / "session", tune, *session_flags(home, tiny_data_dir))
    assert line.startswith(f"error: session_dir={home / 'session'}: started by an earlier version")


def test_finished_session_is_reported_and_not_continued(tiny_data_dir, tmp_path, monkeypatch, run, refused):
    """It ended after its second trial."""
    home = pathlib.Path(shutil.copytree(FOLDERS / "session_home", tmp_path / "home"))
    monkeypatch.chdir(home)
    session, flags = home / "session", session_flags(home, tiny_data_dir)
    events = (session / "journal.jsonl").read_text().splitlines(keepends=True)
    (session / "journal.jsonl").write_text("".join(events[:-2]))
    shutil.rmtree(session / "runs")
    (session / "report.json").write_text("{}")
    line = refused(session, tune, *flags, "--retrain_best")
    assert line.startswith(f"error: session_dir={session}: started by an earlier version")
    journal = (session / "journal.jsonl").read_bytes()
    assert run(tune, *flags) == 0
    assert len(json.loads((session / "report.json").read_text())["trials"]) == 2
    assert (session / "report.md").exists()
    assert (session / "journal.jsonl").read_bytes() == journal
