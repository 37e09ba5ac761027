"""The scripts and the notebook of examples/, with a step or an epoch each."""

import importlib
import re
import subprocess
import sys

import matplotlib.pyplot as plt
import nbformat
import pytest

from models.config import from_preset, saved
from models.runs.folder import open_locked
from models.training import loop
from tests.binaries import call_here
from tests.conftest import ROOT
from tuning import tune

EXAMPLES = ROOT / "examples"
MACHINE_PATH = re.compile(r"\W/(home|root|tmp|Users)/")


@pytest.fixture(autouse=True)
def _scripts_as_modules(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)


def test_callback_stops_training(tiny_data_dir):
    result = importlib.import_module("train_with_callback").main(data_dir=tiny_data_dir, epochs=2.0, target=0.0)
    assert len(result.rows) == 1


def test_layers_augment_in_fit(tiny_data_dir):
    history = importlib.import_module("augment_in_fit").main(data_dir=tiny_data_dir, epochs=1, batch_size=500)
    assert {"loss", "val_accuracy"} <= history.history.keys()


def test_run_is_fine_tuned(tiny_data_dir, tmp_path):
    small = {"widths": (8, 8, 16), "bottlenecks": (8, 8, 16), "max_steps": 1, "precision": "float32"}
    data, train = from_preset("tiny", dataset="shapes100_tiny", data_dir=tiny_data_dir, **small)
    with open_locked(tmp_path / "run", saved.document(data, train), {}) as run:
        loop.train(data, train, run=run, verbose=0)
    accuracies = importlib.import_module("fine_tune").main(str(run.path), max_steps=1, precision="float32")
    assert accuracies.keys() == {"quick", "finetune"}


def test_space_is_searched(tiny_data_dir, tmp_path, monkeypatch):
    flags = (f"--data_dir={tiny_data_dir}", f"--session_dir={tmp_path}", "--max_trials=1", "--max_epochs=1")
    commands = []
    with monkeypatch.context() as script:
        script.setattr(sys, "argv", ["optimizer_space.py", *flags])
        done = subprocess.CompletedProcess([], returncode=3)
        script.setattr(subprocess, "run", lambda command, check: commands.append(command) or done)
        assert importlib.import_module("optimizer_space").main() == 3
    (command,) = commands
    assert command[:3] == [sys.executable, "-m", "tuning.tune"]
    assert call_here(monkeypatch, tune.main, tune.flags, *command[3:]) == 0
    assert (tmp_path / "best.json").exists()


def test_notebook_runs(tiny_data_dir):
    notebook_path = EXAMPLES / "data_to_mistakes.ipynb"
    notebook = nbformat.read(notebook_path, as_version=4)
    nbformat.validate(notebook)
    text = notebook_path.read_text(encoding="utf-8")
    assert "image/png" in text  # as on GitHub, where nothing runs
    assert not MACHINE_PATH.search(text)
    names: dict = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), names)
        if "parameters" in cell.metadata.get("tags", ()):
            names.update(DATASET="shapes100_tiny", DATA_DIR=tiny_data_dir, NUM_VALIDATION=500, EPOCHS=1.0)
    plt.close("all")
    assert names["images"].shape == (500, 32, 32, 3)
    assert names["mistakes"].sum() == names["is_wrong"].sum() > 0
