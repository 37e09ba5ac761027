"""Run folders of commit 710a023 continue and are evaluated: their names of fields and their checkpoints are still read.

Both are of one configuration: the preset `tiny` with small widths on shapes100_tiny, 6 epochs of 30 steps.
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


def rows(run_dir: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def test_interrupted_run_continues(copy, tiny_data_dir):
    """It was interrupted at step 31 of 180, in its second epoch, with Muon, a moving average and small images."""
    run_dir = copy("interrupted")
    before = rows(run_dir)
    done = call(
        "models.train", f"--config={run_dir / 'config.json'}", f"--run_dir={run_dir}", f"--data_dir={tiny_data_dir}"
    )
    assert done.returncode == 0, done.stderr
    after, whole = rows(run_dir), rows(FOLDERS / "finished")
    assert after[:1] == before
    assert [row["step"] for row in after] == [30, 60, 90, 120, 150, 180]
    assert [row["learning_rate"] for row in after] == pytest.approx([row["learning_rate"] for row in whole], rel=1e-6)
    assert after[1]["train_loss"] == pytest.approx(whole[1]["train_loss"], rel=0.01)  # no further: Muon amplifies
    report = json.loads((run_dir / "report.json").read_text())
    expected = json.loads((FOLDERS / "finished" / "report.json").read_text())
    assert report.keys() >= expected.keys()
    exact = ("steps", "num_parameters", "train_petaflop", "optimizer_petaflop", "examples_evaluated", "seed")
    assert {key: report[key] for key in exact} == {key: expected[key] for key in exact}


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
