"""Durations in words."""

import pytest

from pipeline.common import durations


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3540, "59 min"), (7500, "2 h 5 min")]
)
def test_durations_have_one_or_two_units(seconds, words):
    assert durations.in_words(seconds) == words
