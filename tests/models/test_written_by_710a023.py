"""Run folders of commit 710a023: reported and evaluated on test; on validation, and continued, they are refused.

It held out other images for validation. Both runs are of one configuration: the preset `tiny` with small widths on
shapes100_tiny, 6 epochs of 30 steps.
"""

import json
import pathlib
import shutil

import pytest

from tests.binaries import call

FOLDERS = pathlib.Path(__file__).parent / "written_by_710a023"


@pytest.fixture
def copy(tmp_path):
    return lambda name: pathlib.Path(shutil.copytree(FOLDERS / name, tmp_path / name))


def content(run_dir: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run_dir.rglob("*") if path.is_file() and path.name != ".lock"}


def refused(run_dir: pathlib.Path, *command: str) -> str:
    """The one line with which a command refuses a run, which it leaves as it was."""
    before = content(run_dir)
    done = call(*command)
    assert done.returncode == 2, done.stderr
    assert content(run_dir) == before
    return done.stderr.splitlines()[-1]


def test_interrupted_run_is_refused(copy, tiny_data_dir):
    """It was interrupted at step 31 of 180, in its second epoch."""
    run_dir = copy("interrupted")
    flags = (f"--config={run_dir / 'config.json'}", f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}")
    line = refused(run_dir, "models.train", *flags)
    assert line.startswith(f"error: run_dir={run_dir}: started by an earlier version")


def test_finished_run_is_not_evaluated_on_images_that_it_was_trained_on(copy, tiny_data_dir):
    run_dir = copy("finished")
    line = refused(run_dir, "models.evaluate", f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}")
    assert line.startswith(f"error: run_dir={run_dir}: trained by an earlier version")
    assert "--split=test" in line


def test_trunk_of_a_finished_run_is_refused(copy, tiny_data_dir, tmp_path):
    run_dir = copy("finished")
    flags = ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", "--num_validation=500", "--precision=float32")
    done = call("models.train", *flags, f"--init_from={run_dir}", f"--run_dir={tmp_path / 'new'}")
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: init_from={run_dir}: an earlier version trained it")
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


def test_finished_run_stays_as_it_is(copy, tiny_data_dir):
    run_dir = copy("finished")
    before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    done = call(
        "models.train", f"--config={run_dir / 'config.json'}", f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}"
    )
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in run_dir.iterdir() if path.name in before} == before
