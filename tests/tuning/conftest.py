"""A small study's cells, for tests that train nothing."""

import pytest

from pipeline.data_config import SourceConfig
from tuning.studies import catalogue


@pytest.fixture
def cells():
    """Of the study `normalisation` in the smoke budget: two variants with seeds 0 and 1."""
    study = catalogue.find("normalisation")
    return study.cells(study.variants, "smoke", range(2), SourceConfig(dataset="shapes100_tiny"))
