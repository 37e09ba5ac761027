"""Versions of Keras Tuner other than those that were tested are refused."""

import importlib

import keras_tuner
import pytest

from pipeline.common import errors
from tests.conftest import ROOT
from tuning.sessions.oracles import keras_tuner_version
from tuning.sessions.oracles.keras_tuner_version import check_version


@pytest.mark.parametrize("version", ["1.4.8", "1.4.9", "1.4.10", "1.4.10.dev1", "1.4.99"])
def test_supported_version_is_accepted(version):
    check_version(version)


@pytest.mark.parametrize("version", ["1.4.7", "1.4", "0.9.9", "1.5.0", "1.5", "2.0.1"])
def test_another_version_is_refused_with_the_one_to_install(version):
    expected = rf"^keras-tuner {version}: .*pip install 'keras-tuner>=1\.4\.8,<1\.5'"
    with pytest.raises(errors.FailedError, match=expected):
        check_version(version)


def test_version_is_checked_at_import(monkeypatch):
    monkeypatch.setattr(keras_tuner, "__version__", "1.5.0")
    with pytest.raises(errors.FailedError, match=r"^keras-tuner 1\.5\.0"):
        importlib.reload(keras_tuner_version)


def test_versions_that_setup_installs_are_supported():
    assert "keras-tuner>=1.4.8,<1.5" in (ROOT / "setup.py").read_text()
