"""A run that was trained in no time, and the images of its test split as files."""

import json
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest

from models.runs.folder import open_locked
from models.training import loop
from pipeline import contents
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared
from tests.models.training.linear_runs import linear


@pytest.fixture(scope="session")
def trained(tiny_data_dir, tmp_path_factory) -> pathlib.Path:
    """A run of two heads, whose superclass is that of the coarse head."""
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)
    config = linear(max_steps=60, learning_rate=3e-3, coarse_source="head")
    folder = tmp_path_factory.mktemp("trained") / "run"
    with open_locked(str(folder), {**data.as_dict(), **config.as_dict()}, {}) as run:
        loop.train(data, config, run=run, verbose=0)
    return folder


@pytest.fixture(scope="session")
def summed(trained, tmp_path_factory) -> pathlib.Path:
    """The same run, whose superclass is summed from the classes' probabilities, with temperatures."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("summed") / "run")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "coarse_source": "summed"}))
    temperatures = {"fine": 2.0, "coarse": 0.5, "coarse_from_fine": 3.0}
    calibration = {"temperatures": temperatures, "fitted_on": "validation", "splits": {}}
    (folder / "calibration.json").write_text(json.dumps(calibration))
    return folder


@pytest.fixture(scope="session")
def test_files(tiny_data_dir, tmp_path_factory) -> dict[pathlib.Path, tuple[int, int]]:
    """The images of the test split as PNG files, and the numbers of their classes and superclasses."""
    folder = tmp_path_factory.mktemp("test_split")
    files = {}
    for number, (image, fine, coarse) in enumerate(contents.examples(_prepared(tiny_data_dir), "test")):
        path = folder / f"{number}.png"
        PIL.Image.fromarray(image).save(path)
        files[path] = fine, coarse
    return files


def _prepared(data_dir: str) -> pathlib.Path:
    return prepared.folder(data_dir, "shapes100_tiny")


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)
