"""A study and a tuner session that commit 710a023 began continue: their names of fields and files are still read."""

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
THREADS = {"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "2"}  # as the folders were made


def continued(cwd, *command, pythonpath=()):
    env = {**os.environ, **THREADS, "PYTHONPATH": os.pathsep.join(map(str, (*pythonpath, ROOT)))}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("name", "rows"), json.loads((FOLDERS / "catalogue.json").read_text()).items())
def test_saved_cells_belong_to_variants_of_their_study(name, rows):
    study = catalogue.find(name)
    assert study.reference == rows["reference"]
    assert set(rows["variants"]) <= {row.name for row in (*study.variants, *study.combinations)}


def test_study_continues(tiny_data_dir, tmp_path):
    """One job was finished, one had failed, one was interrupted, and one had not begun."""
    folder = pathlib.Path(shutil.copytree(FOLDERS / "study", tmp_path / "study"))
    before = (folder / "cells" / "all-seed-0.json").read_bytes()
    flags = ("--study=fast_ablation", "--budget=smoke", "--variants=all,relu", "--repeats=2", "--workers=1")
    flags += ("--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}", f"--study_dir={folder}")
    continued(ROOT, *command("tuning.study", *flags), pythonpath=[FOLDERS / "float32_only"])
    assert (folder / "cells" / "all-seed-0.json").read_bytes() == before  # not trained again
    results = {path.stem: json.loads(path.read_text()) for path in folder.glob("cells/*.json")}
    assert {result["status"] for result in results.values()} == {"finished"}
    losses = {
        name: (result["report"]["fine_loss"], result["report"]["coarse_loss"]) for name, result in results.items()
    }
    assert losses == {
        "all-seed-0": pytest.approx((4.84367, 3.62824), rel=1e-3),
        "all-seed-1": pytest.approx((4.97610, 3.46714), rel=1e-3),
        "relu-seed-0": pytest.approx((5.21752, 4.19456), rel=1e-3),
        "relu-seed-1": pytest.approx((5.32827, 3.61123), rel=1e-3),
    }
    report = json.loads((folder / "report.json").read_text())
    assert [(row["name"], row["seeds"]) for row in report["variants"]] == [("all", [0, 1]), ("relu", [0, 1])]
    assert report["precision"] == ["float32"]


def test_session_continues(tiny_data_dir, tmp_path):
    """Two trials had ended, and the third was interrupted after its first epoch."""
    home = pathlib.Path(shutil.copytree(FOLDERS / "session_home", tmp_path / "home"))
    before = {path.name: path.read_bytes() for path in (home / "session" / "trials").iterdir()}
    flags = ("--space=tiny_space.py", "--tuner=random", "--objective=both", "--max_trials=5", "--max_epochs=4")
    flags += ("--seed=1", "--precision=float32", "--dataset=shapes100_tiny", f"--data_dir={tiny_data_dir}")
    continued(home, *command("tuning.tune", *flags, f"--session_dir={home / 'session'}"))
    after = {path.name: path.read_bytes() for path in (home / "session" / "trials").iterdir()}
    assert {name: after[name] for name in before} == before
    records = [json.loads(after[f"{number}.json"]) for number in range(5)]
    assert {record["status"] for record in records} == {"COMPLETED"}
    values = [tuple(record["hyperparameters"].values()) for record in records]
    assert values[2:] == [(3e-3, 0, 16, 0.1), (1e-3, 1, 16, 0.2), (1e-3, 1, 32, 0.0)]  # as if undisturbed
    assert [record["epochs"] for record in records] == [4.0] * 5
    assert [record["train_petaflop"] for record in records] == pytest.approx(
        [7.3660032e-05, 7.3660032e-05, 7.3660032e-05, 7.3669248e-05, 7.3736064e-05]
    )
    assert [record["objective"] for record in records] == pytest.approx(
        [0.055, 0.064, 0.045, 0.039, 0.044], abs=4 / 500
    )
    events = [json.loads(line)["event"] for line in (home / "session" / "journal.jsonl").read_text().splitlines()]
    assert (events.count("begin"), events.count("end"), events.count("requeue")) == (6, 5, 1)
