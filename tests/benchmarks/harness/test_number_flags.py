"""Lists of numbers on the command line."""

import pytest

from benchmarks.harness import number_flags
from pipeline.common import errors


def test_numbers_are_read_once_each_in_order():
    assert number_flags.parse("sizes", ["2000", "1000", "2000"], int, "1000") == (2000, 1000)
    assert number_flags.parse("limits_gib", ["0.5", "2"], float, "2") == (0.5, 2.0)


@pytest.mark.parametrize("texts", [[], ["x"], ["0"], ["-1"], ["1.5"], ["1", ""], ["nan"]])
def test_what_is_no_number_above_0_is_refused(texts):
    with pytest.raises(errors.BadArgumentError, match=r"sizes=.*expected whole numbers above 0, such as 1000,10000"):
        number_flags.parse("sizes", texts, int, "1000,10000")


@pytest.mark.parametrize("text", ["nan", "inf", "0"])
def test_limit_is_a_finite_number(text):
    with pytest.raises(errors.BadArgumentError, match=r"limits_gib=.*: expected numbers above 0, such as 2,8"):
        number_flags.parse("limits_gib", [text], float, "2,8")
