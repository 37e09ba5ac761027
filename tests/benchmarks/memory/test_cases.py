"""The original study's way, measured in a process of its own, and where it dies."""

import pytest

from benchmarks.harness import subprocess_call
from benchmarks.memory import cases
from pipeline.common import errors
from tests.benchmarks.augment.conftest import OLD_SCIPY


@pytest.fixture
def data(tiny_data_dir):
    return {"data_dir": tiny_data_dir, "dataset": "shapes100_tiny"}


@OLD_SCIPY
def test_study_fills_an_array(data):
    report = cases.study(**data, views=3000)
    assert report["images"] == 3000
    assert report["peak_mib"] > report["steady_mib"] / 2 > 100


def test_study_dies_of_its_limit_and_fails_of_anything_else(data):
    assert subprocess_call.call_within(2.0, cases.study, **data, views=400_000) is None
    with pytest.raises(errors.FailedError, match="not prepared"):
        cases.study(**{**data, "data_dir": "/none"}, views=10)
