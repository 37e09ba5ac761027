"""The configuration of the tiny data set that the tests of training share."""

import pytest

from pipeline.data_config import DataConfig


@pytest.fixture
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)
