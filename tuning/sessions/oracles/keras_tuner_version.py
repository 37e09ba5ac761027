"""Checks at import that Keras Tuner is of a version whose private parts this package was tested with.

Only `conditional_space`, `hyperband`, `journaled` and `oracle` use private parts; they import this one first.
"""

import keras_tuner

from pipeline.common import errors

SUPPORTED = ((1, 4, 8), (1, 5))  # from the first version, below the second


def check_version(version: str) -> None:
    """Check that Keras Tuner is of a supported version, or fail."""
    first, end = SUPPORTED
    if not first <= tuple(int(part) for part in version.split(".")[:3] if part.isdecimal()) < end:
        expected = f">={'.'.join(map(str, first))},<{'.'.join(map(str, end))}"
        raise errors.FailedError(
            f"keras-tuner {version}: expected {expected}, whose private parts tuning.tune uses; "
            f"pip install 'keras-tuner{expected}', or run tests/tuning/sessions/oracles with this one and "
            "change SUPPORTED in tuning/sessions/oracles/keras_tuner_version.py"
        )


check_version(keras_tuner.__version__)
