"""The batch that the tests augment."""

import sys

import pytest

from benchmarks.augment import cases
from pipeline.data_config import DataConfig

BATCH_SIZE = 20
OLD_SCIPY = pytest.mark.filterwarnings("ignore:Please import .affine_transform.:DeprecationWarning")  # the generator's


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=0, batch_size=BATCH_SIZE)


@pytest.fixture(scope="module")
def batch(data) -> cases.Batch:
    return cases.Batch.first(data)


@pytest.fixture
def no_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails, as where it is not installed
