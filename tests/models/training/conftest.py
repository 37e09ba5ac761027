"""The configuration of the tiny data set, and a batch, that the tests of training share."""

import numpy as np
import pytest

from pipeline.data_config import DataConfig


@pytest.fixture(scope="package")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


@pytest.fixture
def batch() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(0, 256, (8, 32, 32, 3), np.uint8),
        "fine": generator.integers(0, 100, 8).astype(np.int32),
        "coarse": generator.integers(0, 20, 8).astype(np.int32),
        "index": np.arange(8),
        "pass_number": np.zeros(8, np.int64),
    }
