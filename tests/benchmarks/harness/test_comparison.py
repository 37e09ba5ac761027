"""Rows compared with those of an earlier run: which are worse, whatever the unit."""

import collections
import dataclasses
import itertools
import time

import pytest

from benchmarks.harness import comparison, results, timing
from benchmarks.harness.comparison import BETTER, NOT_JUDGED, SAME, WORSE
from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from pipeline.batches import OpenedData
from pipeline.data_config import DataConfig
from tests.benchmarks.harness.rows import row


@pytest.mark.parametrize(
    ("unit", "old", "new", "ratio", "verdict"),
    [
        ("images/s", 100.0, 80.0, 0.8, WORSE),
        ("images/s", 100.0, 95.0, 0.95, SAME),
        ("images/s", 100.0, 130.0, 1.3, BETTER),
        ("s", 10.0, 12.5, 0.8, WORSE),
        ("s", 10.0, 8.0, 1.25, BETTER),
        ("MiB", 100.0, 104.0, 100 / 104, SAME),
        ("%", 60.0, 30.0, 0.5, NOT_JUDGED),
        ("images/s", 100.0, 88.0, 0.88, WORSE),
    ],
)
def test_ratio_says_how_many_times_as_good(unit, old, new, ratio, verdict):
    (change,) = comparison.compare([row("ours/x", unit, old)], [row("ours/x", unit, new)], 0.1)
    assert change.ratio == pytest.approx(ratio)
    assert change.low == pytest.approx(ratio * 0.98 / 1.02)
    assert change.high == pytest.approx(ratio * 1.02 / 0.98)
    assert change.verdict == verdict


def test_what_is_within_the_spread_is_no_worse_and_others_are_not_judged():
    noisy = [row("ours/x", "images/s", 100.0, spread=0.5)], [row("ours/x", "images/s", 60.0, spread=0.5)]
    assert comparison.compare(*noisy, 0.1)[0].verdict == SAME
    once = [dataclasses.replace(rows[0], repeats=1) for rows in noisy]
    assert comparison.compare(once[:1], once[1:], 0.1)[0].verdict == WORSE
    for name in ("peer/y/x", "ours/ceiling/copy"):
        assert comparison.compare([row(name, "s", 1.0)], [row(name, "s", 9.0)], 0.1)[0].verdict == NOT_JUDGED


def test_machine_is_as_fast_as_what_is_no_doing_of_ours():
    old = [row(name, "images/s", 100.0) for name in ("ours/x", "peer/a/x", "peer/b/x", "ours/ceiling/copy")]
    new = [row(old.name, "images/s", value) for old, value in zip(old, (10.0, 80.0, 90.0, 50.0), strict=True)]
    memory = row("peer/study/peak/40000", "MiB", 1.0)
    changes = comparison.compare([*old, memory], [*new, dataclasses.replace(memory, median=9.0)], 0.1)
    assert comparison.machine_ratio(changes) == pytest.approx(0.8)
    assert comparison.machine_ratio(changes[:1]) is None


@pytest.mark.parametrize(("new", "agrees"), [(103.0, True), (97.0, True), (105.0, False), (95.0, False)])
def test_runs_agree_where_their_spreads_overlap(new, agrees):
    (change,) = comparison.compare([row("ours/x", "ms", 100.0)], [row("ours/x", "ms", new)], 0.1)
    assert change.agrees == agrees


def test_rows_of_one_run_alone_and_of_another_unit_are_left_out():
    old = [row("ours/gone", "s", 1.0), row("ours/other", "s", 1.0), row("ours/x", "s", 1.0), row("ours/zero", "s", 0.0)]
    new = [row("ours/x", "s", 1.0), row("ours/new", "s", 1.0), row("ours/other", "ms", 1.0), row("ours/zero", "s", 1.0)]
    assert [change.name for change in comparison.compare(old, new, 0.1)] == ["ours/x"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("ours/stage/1_KeepPart", "ours/stage/1_HoldOut"),
        ("ours/study_sheared", "ours/original_sheared"),
        ("peer/ImageDataGenerator/study", "peer/ImageDataGenerator/original"),
        ("ours/study_coarse/fine_accuracy", "ours/original_coarse/fine_accuracy"),
        ("peer/study/peak/40000", "peer/study/peak/40000"),
        ("ours/stage/4_Batch", "ours/stage/4_Batch"),
    ],
)
def test_rows_of_earlier_releases_have_their_names_of_today(before, now):
    (change,) = comparison.compare([row(before, "s", 1.0)], [row(now, "s", 1.0)], 0.1)
    assert change.name == now


def measured(data: DataConfig, slowed_by_s: float) -> list[results.Row]:
    """A real pipeline's row, its batches slowed down."""

    def batches():
        for batch in OpenedData(data).train(seed=0):
            time.sleep(slowed_by_s)
            yield batch

    case = Case(Labels("ours/train", "train"), lambda: collections.deque(itertools.islice(batches(), 10), 0), 1000)
    return [results.timed(timing.interleave([case], repeats=3)["ours/train"])]


def test_slowed_pipeline_is_caught(tiny_data_dir):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)
    usual, again, slowed = (measured(data, seconds) for seconds in (0.002, 0.002, 0.2))
    (change,) = comparison.compare(usual, slowed, 0.2)
    assert change.verdict == WORSE
    assert not change.agrees
    (change,) = comparison.compare(usual, again, 0.75)
    assert change.verdict == SAME
