"""Fixtures of the tests of explore."""

import numpy as np
import pytest

from pipeline import memory_cache, source, stages
from pipeline.data_config import DataConfig
from pipeline.explore import statistics
from pipeline.explore.statistics import PixelSums, Survey


@pytest.fixture(scope="module")
def tiny(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500)


@pytest.fixture(scope="module")
def survey(tiny) -> Survey:
    return statistics.survey(tiny)


@pytest.fixture(scope="module")
def official(tiny) -> dict[str, np.ndarray]:
    """The whole training split in memory: uint8 [N, 32, 32, 3] and labels."""
    stream = stages.chain(source.read(source.open_builder(tiny), "train"), (stages.Decode(32),))
    return {name: column.numpy() for name, column in memory_cache.in_memory(stream, 2000).items()}


@pytest.fixture(scope="module")
def uneven() -> Survey:
    """Three classes in two superclasses; "bear" is in both, and the counts differ."""
    pairs = {
        "train": np.array([[40, 0], [38, 1], [0, 39]]),
        "validation": np.array([[10, 0], [10, 0], [0, 10]]),
        "test": np.array([[1, 0], [10, 0], [0, 10]]),
    }
    sums = np.arange(2 * 32 * 32 * 3).reshape(2, 32, 32, 3)
    pixels = PixelSums(np.array([78, 40]), sums, np.full(3, 10**9))
    return Survey(
        "cifar100", ("apple", "bear", "cup"), ("big", "small"), pairs, {"train": pixels, "validation": pixels}
    )


@pytest.fixture(scope="module")
def one_level() -> Survey:
    """Three classes without superclasses, the last of which has most training images."""
    pairs = {"train": np.array([[1], [2], [3]]), "validation": np.ones((3, 1), int), "test": np.ones((3, 1), int)}
    pixels = PixelSums(np.array([6]), np.arange(32 * 32 * 3).reshape(1, 32, 32, 3), np.full(3, 10**9))
    images = {"train": pixels, "validation": pixels}
    return Survey("folder:pets", ("apple", "bear", "cup"), (statistics.EVERY_CLASS,), pairs, images)
