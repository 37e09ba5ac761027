"""Progressive resolution: which step has which size, and what is no schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.resolution import ResolutionSchedule


def test_steps_have_the_size_of_their_share():
    schedule = ResolutionSchedule.from_shares(((20, 0.15), (24, 0.35), (32, 0.5)), 32)
    sizes = [schedule.size_at(step, 100) for step in range(100)]
    assert sizes == [20] * 15 + [24] * 35 + [32] * 50


def test_nothing_is_full_size_throughout():
    schedule = ResolutionSchedule.from_shares((), 32)
    assert schedule.sizes == (32,)
    assert schedule.steps_by_size(7, 9) == {32: 7}


@given(st.integers(1, 500), st.data())
def test_counts_agree_with_the_steps_however_far_a_run_came(total_steps, data):
    num_steps = data.draw(st.integers(0, total_steps))
    schedule = ResolutionSchedule.from_shares(DataConfig(resolutions="16:1/3,24:1/3,16:1/6,32:1/6").resolutions, 32)
    sizes = [schedule.size_at(step, total_steps) for step in range(num_steps)]
    assert schedule.steps_by_size(num_steps, total_steps) == {size: sizes.count(size) for size in (16, 24, 32)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20", "resolutions=20: expected numbers such as 20:0.15,24:0.35,32:0.5"),
        ("20:x", "resolutions=20:x: expected numbers such as 20:0.15,24:0.35,32:0.5"),
        ("20:1/0", "resolutions=20:1/0: expected numbers such as 20:0.15,24:0.35,32:0.5"),
        ("20:0.5,32:0.4", "the shares make 0.9"),
        ("40:1", "size 40, expected 8 to 32"),
        ("32:0.5,20:0.5", "ends at size 20, expected 32, at which the network is evaluated"),
        ("3_2:1", "resolutions=3_2:1: expected numbers such as 20:0.15,24:0.35,32:0.5"),
        ("20:-0.5,32:1.5", "share -0.5, expected more than 0"),
    ],
)
def test_what_is_no_schedule_is_refused_where_the_configuration_is_made(text, message):
    with pytest.raises(errors.BadArgumentError, match="resolutions=") as refused:
        DataConfig(resolutions=text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
