"""A run of a tiny network, and its export in the formats that take seconds."""

import json
import pathlib

import pytest

from models.config import saved
from models.config.training import TrainConfig
from models.exporting import export
from models.runs.folder import RunFolder, open_locked
from models.training import loop
from pipeline.data_config import DataConfig
from tests.conftest import shared_folder

NETWORK = {"architecture": "original_cnn", "blocks": 2, "first_filters": 8, "batch_norm": True}
TEMPERATURES = {"fine": 1.5, "coarse_from_fine": 1.25}
FAST = ("litert", "litert_int8")  # whose runtime needs no TensorFlow


def train_run(folder: pathlib.Path, data_dir: str, num_validation: int = 500, **values) -> RunFolder:
    """A finished run on shapes100_tiny, of few steps."""
    data = DataConfig(dataset="shapes100_tiny", data_dir=data_dir, num_validation=num_validation, batch_size=128)
    config = TrainConfig(**{"precision": "float32", "max_steps": 20, "jit_compile": "off", **values})
    with open_locked(folder, saved.document(data, config), {}) as run:
        loop.train(data, config, run=run, verbose=0)
    return run


@pytest.fixture(scope="session")
def tiny_run(tiny_data_dir, tmp_path_factory) -> RunFolder:
    """A finished, calibrated run."""
    with shared_folder(tmp_path_factory, "exported_run") as folder:
        run = RunFolder(folder / "run")
        if not run.is_finished:
            run = train_run(folder / "run", tiny_data_dir, **NETWORK)
            run.write_evaluated("calibration", {"temperatures": TEMPERATURES, "fitted_on": "validation", "splits": {}})
    return run


@pytest.fixture(scope="session")
def exported(tiny_run, tiny_data_dir, tmp_path_factory) -> pathlib.Path:
    """The folder of an export in FAST formats."""
    with shared_folder(tmp_path_factory, "exported") as folder:
        if not (folder / "out" / "export.json").exists():
            export.export(tiny_run, FAST, folder / "out", tiny_data_dir)
    return folder / "out"


@pytest.fixture
def document(exported) -> dict:
    """The content of `export.json`."""
    return json.loads((exported / "export.json").read_text())
