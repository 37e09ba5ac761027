"""Rows have shares, ratios and CPU seconds."""

import dataclasses
import itertools
import time

import numpy as np
import pytest

from benchmarks.harness import timing
from benchmarks.harness.labels import Labels
from benchmarks.input import loaders
from benchmarks.input import peers as input_peers
from benchmarks.input import rows as input_rows
from pipeline.data_config import DataConfig


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


TEN = Labels("ours/x", "train", batch_size=10)


def test_rows_carry_shares_ratios_and_processor_time():
    def endless():
        return itertools.repeat(np.zeros((100, 32, 32, 3), np.uint8).copy())

    peer = input_peers.PEERS["peer/keras/pydataset"].labels
    ours = Labels("ours/train/memory/100", "train")
    labels = (Labels(input_rows.COPY, "ceiling"), ours, peer)
    measured = [
        loaders.Loader(dataclasses.replace(one, batch_size=100), endless).case(1000, passes=3) for one in labels
    ]
    copy, train, keras = input_rows.timed(measured, repeats=2, ours=ours.name)
    assert copy.ceiling_share == 1.0
    assert keras.ratio_of == [ours.name, peer.name]
    assert (train.ratio, train.version) == (None, None)
    assert keras.version


def test_processor_time_is_that_of_the_case():
    def spin():
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass

    rested = input_rows._cpu_seconds(timing.Case(TEN, lambda: time.sleep(0.3), 1))
    assert rested < 0.25
    assert 0.3 <= input_rows._cpu_seconds(timing.Case(TEN, spin, 1)) < 0.6


def test_resident_memory_is_that_of_a_process_of_its_own(data):
    (row,) = input_rows.resident(data, ["none"], passes=2, repeats=1)
    assert (row.name, row.repeats) == ("ours/resident/none", 1)
    assert 200.0 < row.median < 4000.0
