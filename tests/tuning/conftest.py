"""A small study's jobs, for tests that train nothing."""

import pytest

from pipeline.data_config import SourceConfig
from tuning.studies import catalogue


@pytest.fixture
def jobs():
    """Of the study `normalisation` in the smoke budget: two variants with seeds 0 and 1."""
    study = catalogue.find("normalisation")
    return study.jobs(study.variants, "smoke", range(2), SourceConfig(dataset="shapes100_tiny"))
