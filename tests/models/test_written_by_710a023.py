"""Run folders of commit 710a023: reported and evaluated on test; on validation, and continued, they are refused.

It held out other images for validation. Both runs are of one configuration: the preset `tiny` with small widths on
shapes100_tiny, 6 epochs of 30 steps.
"""

import json
import pathlib
import shutil
import types

import pytest

from models import evaluate, train
from tests.binaries import call, call_here

FOLDERS = pathlib.Path(__file__).parent / "written_by_710a023"


@pytest.fixture
def copy(tmp_path):
    return lambda name: pathlib.Path(shutil.copytree(FOLDERS / name, tmp_path / name))


def content(run_dir: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run_dir.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture
def run(monkeypatch):
    """Runs a binary; its exit code."""
    return lambda binary, *flags: call_here(monkeypatch, binary.main, binary.flags, *flags)


@pytest.fixture
def refused(run, capsys):
    """Runs a binary that refuses a run, which it leaves as it was; the line with which it does."""

    def refuse(run_dir: pathlib.Path, binary: types.ModuleType, *flags: str) -> str:
        before = content(run_dir)
        assert run(binary, *flags) == 2
        assert content(run_dir) == before
        return capsys.readouterr().err.splitlines()[-1]

    return refuse


def test_interrupted_run_is_refused(copy, tiny_data_dir, refused):
    """It was interrupted at step 31 of 180, in its second epoch."""
    run_dir = copy("interrupted")
    flags = (f"--config={run_dir / 'config.json'}", f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}")
    line = refused(run_dir, train, *flags)
    assert line.startswith(f"error: run_dir={run_dir}: started by an earlier version")


def test_finished_run_is_not_evaluated_on_images_that_it_was_trained_on(copy, tiny_data_dir, refused):
    run_dir = copy("finished")
    line = refused(run_dir, evaluate, f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}")
    assert line.startswith(f"error: run_dir={run_dir}: trained by an earlier version")
    assert "--split=test" in line


def test_trunk_of_a_finished_run_is_refused(copy, tiny_data_dir, tmp_path, refused):
    run_dir = copy("finished")
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", "--num_validation=500", "--precision=float32")
    line = refused(run_dir, train, *flags, f"--init_from={run_dir}", f"--run_dir={tmp_path / 'new'}")
    assert line.startswith(f"error: init_from={run_dir}: an earlier version trained it")
    assert not (tmp_path / "new").exists()


def test_finished_run_is_evaluated_as_by_the_code_that_trained_it(copy, tiny_data_dir):
    run_dir = copy("finished")
    done = call("models.evaluate", f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}", "--split=test")
    assert done.returncode == 0, done.stderr
    report = json.loads((run_dir / "report.json").read_text())
    losses = {"loss": 4.761378118753433, "fine_loss": 3.8679627793729305, "coarse_loss": 2.535448776960373}
    assert {key: report[key] for key in losses} == pytest.approx(losses, rel=1e-4)
    accuracies = {"fine_accuracy": 0.084, "coarse_accuracy": 0.204, "coarse_from_fine_accuracy": 0.202}
    assert {key: report[key] for key in accuracies} == pytest.approx(accuracies, abs=2 / 500)


def test_finished_run_stays_as_it_is(copy, tiny_data_dir, run):
    run_dir = copy("finished")
    before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    flags = (f"--config={run_dir / 'config.json'}", f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}")
    assert run(train, *flags) == 0
    assert {path.name: path.read_bytes() for path in run_dir.iterdir() if path.name in before} == before
