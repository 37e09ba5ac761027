"""Rows of ours and of its peers, and the share of a training step; nothing here is timed."""

import numpy as np
import pytest

from benchmarks.augment import cases
from benchmarks.augment import rows as augment_rows
from benchmarks.harness import results, timing
from benchmarks.harness.labels import Labels
from tests.benchmarks.augment.conftest import BATCH_SIZE, OLD_SCIPY

ROUND_S = 1e-6  # one batch a round


def measured(what: str, batch: cases.Batch) -> dict[str, results.Row]:
    compared = augment_rows.Compared(what, batch, ROUND_S)
    assert compared.rows() == []  # no round yet
    compared.time()
    return {row.name: row for row in compared.rows()}


@OLD_SCIPY
def test_rows_of_the_study_by_contract(batch, no_torchvision):
    rows = measured("original", batch)
    peers = ["peer/keras_layers/original", "peer/ImageDataGenerator/original"]
    assert list(rows) == ["ours/original", *peers]
    assert rows["ours/original"].ratio is None
    for name, row in rows.items():
        assert (row.unit, row.repeats, row.batch_size, row.transforms) == ("images/s", 1, BATCH_SIZE, "original")
        assert min(row.median, row.first_call_s) > 0
        if name in peers:
            assert row.ratio_of == ["ours/original", name]
            assert row.ratio == pytest.approx(rows["ours/original"].median / row.median, rel=0.01)
    assert [rows[name].work for name in peers] == ["nearest", "equal"]


def test_name_without_a_peer_has_a_row_of_ours_alone(batch):
    assert list(measured("none", batch)) == ["ours/none"]


def test_rounds_add_up(batch):
    compared = augment_rows.Compared("HorizontalFlip", batch, ROUND_S)
    for _ in range(3):
        compared.time()
    ours, peer = compared.rows()
    assert (ours.repeats, peer.repeats) == (3, 3)
    assert ours.min < ours.max


def test_round_is_as_many_batches_as_it_takes_and_the_first_call_stands_apart():
    asked = []

    def run(num_batches: int) -> np.ndarray:
        asked.append(num_batches)
        return np.zeros([1, 1, 1, 1])

    work = cases.Work(Labels("ours/x", "augmentation"), run, min_batches=3)
    first_s, case = augment_rows._first_s_and_case(work, batch_size=10, round_s=1e9)
    case.run()
    assert asked[:3] == [1, 3, 24]  # at most eight times as many as before, whatever the clock says
    assert asked[-1] == timing.MAX_CALLS
    assert case.num_units == 10 * timing.MAX_CALLS
    assert first_s > 0


def test_share_of_the_training_step(data):
    step, share = augment_rows.share_of_quick_step(data, repeats=1, round_s=ROUND_S, num_steps=1)
    assert (step.name, step.unit, step.batch_size) == ("ours/quick_step", "images/s", BATCH_SIZE)
    assert (share.name, share.unit, share.repeats) == ("ours/flip_shift_share_of_quick_step", "%", 1)
    assert share.limit == 5.0
    assert share.min == share.median == share.max > 0


def test_share_is_time_an_image_over_time_an_image_round_by_round():
    steps, augment = (
        timing.Timing(augment_rows.STEP, 1.0, (500.0, 1000.0)),
        timing.Timing(augment_rows.SHARE, 1.0, (50_000.0, 50_000.0)),
    )
    assert augment_rows._shares(steps, augment) == pytest.approx([1.0, 2.0])
