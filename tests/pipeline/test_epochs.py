"""Epochs: no view left out, and an end where the next one begins."""

import pytest

from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.epochs import EpochSchedule


def test_epochs_leave_no_view_out_and_end_where_the_next_begins():
    epochs = EpochSchedule(views=1500, batch_size=64, epochs=3.0)
    assert [epochs.first_step(number) for number in range(4)] == [0, 24, 47, 71]  # 23.4 batches each
    assert epochs.total_steps == 71
    assert epochs.count == 3
    assert epochs.last_step(2) == 71


def test_fraction_and_max_steps_cut_the_last_epoch():
    assert EpochSchedule(1500, 64, 2.5).total_steps == 59
    assert EpochSchedule(1500, 64, 2.5).count == 3
    assert EpochSchedule(50_000, 100, 1.1).total_steps == 550  # 550.0000000000001 in floating point
    whole = EpochSchedule(1500, 64, 1e12)  # which a loop over the epochs would never count
    assert (whole.count, whole.total_steps) == (10**12, 1500 * 10**12 // 64)
    assert whole.last_step(10**12 - 1) == whole.total_steps > whole.last_step(10**12 - 2)
    cut = EpochSchedule(1500, 64, 10.0, max_steps=30)
    assert (cut.total_steps, cut.count, cut.last_step(1)) == (30, 2, 30)
    exact = EpochSchedule(1500, 64, 10.0, max_steps=24)
    assert (exact.total_steps, exact.count) == (24, 1)


def test_virtual_examples_are_the_views_of_an_epoch():
    config = DataConfig(virtual_examples=600_000, batch_size=256)
    assert EpochSchedule.from_config(config, 40_000, 1.0).total_steps == 2344
    with pytest.raises(errors.BadArgumentError, match=r"virtual_examples=100: .* 256"):
        EpochSchedule.from_config(DataConfig(virtual_examples=100), 40_000, 1.0)
    for epochs in (1e18, 1e308):
        with pytest.raises(errors.BadArgumentError, match=r"^epochs=1e\+\d+ .*max_steps"):
            EpochSchedule.from_config(config, 40_000, epochs)
        assert EpochSchedule.from_config(config, 40_000, epochs, max_steps=7).count == 1
