"""Versions of Keras Tuner other than those that were tested are refused."""

import pytest

from pipeline.common import errors
from tuning.sessions.oracles.keras_tuner_version import check_version


@pytest.mark.parametrize("version", ["1.4.8", "1.4.9", "1.4.10.dev1", "1.4.99"])
def test_supported_version_is_accepted(version):
    check_version(version)


@pytest.mark.parametrize("version", ["1.4.7", "1.4", "0.9.9", "1.5.0", "1.5", "2.0.0"])
def test_other_version_is_refused(version):
    with pytest.raises(errors.FailedError, match=rf"^keras-tuner {version}: expected >=1\.4\.8,<1\.5,"):
        check_version(version)
