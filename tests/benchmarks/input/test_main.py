"""Feeds hold what they say, go on where they were, and become rows with shares and ratios."""

import contextlib
import dataclasses
import itertools
import os
import time
import weakref

import numpy as np
import pytest

from benchmarks.harness import timing
from benchmarks.input import cases, loaders, memory
from benchmarks.input import peers as input_peers
from pipeline.common import errors
from pipeline.data_config import DataConfig


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


def images_of(batch) -> int:
    first = batch["image"] if isinstance(batch, dict) else batch[0] if isinstance(batch, tuple | list) else batch
    return len(first)


def test_every_setting_yields_batches_of_its_size(data):
    found = [*cases.settings(data, (50, 100)), *cases.variants(data)]
    assert len({feed.name for feed in found}) == len(found)
    for feed in found:
        assert [images_of(batch) for batch in itertools.islice(feed.make(), 3)] == [feed.batch_size] * 3


def test_side_begins_anew_lets_a_pass_go_by_and_times_whole_batches():
    taken = []
    feed = loaders.Feed("ours/x", lambda: map(taken.append, itertools.count()), 10)
    side = feed.side(45, passes=2)
    assert side.num_units == 80
    for _ in range(2):
        side.before()
        assert taken == [0, 1, 2, 3]
        side.run()
        assert taken == list(range(12))
        side.after()
        taken.clear()


def test_nothing_of_a_side_is_left_behind_its_turn():
    class Stream:
        """Notices when it goes."""

        def __iter__(self):
            return self

        def __next__(self):
            return None

    streams = []

    def make():
        stream = Stream()
        streams.append(weakref.ref(stream))
        return stream

    side = loaders.Feed("ours/x", make, 10).side(100, passes=1)
    side.before()
    side.run()
    assert streams[0]() is not None
    side.after()
    assert streams[0]() is None


def test_stages_are_cut_off_one_after_the_other(data):
    found = cases.by_stage(data)
    assert found[0].name == "ours/stage/0_Read"
    assert [feed.name.split("/")[-1][0] for feed in found] == [str(number) for number in range(len(found))]
    assert any("Decode" in feed.name for feed in found)
    for feed in found:
        assert len(list(itertools.islice(feed.make(), 20))) == 20  # more than a pass: none of them ends


def test_examples_are_all_of_the_training_part(data):
    images, labels = cases.examples(data)
    assert (images.shape, images.dtype) == ((1500, 32, 32, 3), np.uint8)
    assert np.bincount(labels).tolist() == [15] * 100


@pytest.mark.parametrize("name", [name for name in input_peers.PEERS if "workers_2" not in name])
def test_peers_feed_every_image_once_a_pass_in_another_order(name):
    library, make = input_peers.PEERS[name]
    if not library.is_installed:
        pytest.skip(f"{library.words}: the extra {library.extra}")
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    stream = make(images, np.arange(200, dtype=np.int32), 50)
    passes = [np.concatenate([_labels(next(stream)) for _ in range(4)]) for _ in range(2)]
    if "tf_data" not in name:  # whose shuffle goes on over the end of a pass
        assert sorted(passes[0].tolist()) == list(range(200))
    assert passes[0].tolist() != passes[1].tolist()
    assert passes[0].tolist() != list(range(200))


def test_peers_are_measured_in_processes_of_their_own(monkeypatch):
    images, labels = np.zeros((40, 2, 2, 3), np.uint8), np.arange(40, dtype=np.int32)
    kept = {name: peer for name, peer in input_peers.PEERS.items() if "keras" in name}
    monkeypatch.setattr(input_peers, "PEERS", kept)
    with contextlib.ExitStack() as stack:
        (side,) = input_peers.begun(stack, images, labels, 10, passes=2)
        assert (side.name, side.num_units) == ("peer/keras/pydataset", 80)
        side.before()
        side.run()
        side.after()
        with pytest.raises(errors.FailedError, match=r"peer/keras/pydataset: IndexError: .*; --nopeers goes without"):
            side.run()  # it is let go of


def test_peer_that_does_not_work_is_left_out_in_one_line(monkeypatch, capsys):
    images, labels = np.zeros((40, 2, 2, 3), np.uint8), np.arange(40, dtype=np.int32)
    peers = {"peer/broken/feed": (input_peers.KERAS, os.kill), "peer/short/feed": (input_peers.KERAS, three_batches)}
    monkeypatch.setattr(input_peers, "PEERS", peers)
    with contextlib.ExitStack() as stack:
        assert input_peers.begun(stack, images, labels, 10, passes=2) == []
    broken, short = capsys.readouterr().out.splitlines()
    assert broken.startswith("left out: peer/broken/feed: TypeError: ")
    assert short.startswith("left out: peer/short/feed: FailedError: a feed ended after 3 of 4 batches")


def three_batches(images, labels, batch_size):
    return iter(range(3))


def test_feed_that_ends_is_not_measured():
    side = loaders.Feed("ours/x", lambda: iter(range(15)), 10).side(100, passes=1)
    side.before()
    with pytest.raises(errors.FailedError, match="ended after 5 of 10 batches"):
        side.run()


def test_batches_larger_than_the_part_are_refused_before_anything_is_measured(data):
    with pytest.raises(errors.BadArgumentError, match="batch_size=1501: expected at most the 1500"):
        cases.check(dataclasses.replace(data, batch_size=1501))


def _labels(batch) -> np.ndarray:
    return np.asarray(batch["fine"] if isinstance(batch, dict) else batch[1]).ravel()


def test_ceilings_go_round_and_round():
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), np.uint8)
    for feed in cases.ceilings(images, 10):
        assert [images_of(batch) for batch in itertools.islice(feed.make(), 7)] == [10] * 7


def test_rows_carry_shares_ratios_and_processor_time():
    def endless():
        return itertools.repeat(np.zeros((100, 32, 32, 3), np.uint8).copy())

    names = ("ours/ceiling/copy", "ours/train/memory/100", "peer/x")
    sides = [loaders.Feed(name, endless, 100).side(1000, passes=3) for name in names]
    rows = cases.rows(sides, dict.fromkeys(names, 100), 2, names[1])
    by_name = {row["name"]: row for row in rows}
    assert by_name["ours/ceiling/copy"]["ceiling_share"] == 1.0
    assert by_name["peer/x"]["ratio_of"] == ["ours/train/memory/100", "peer/x"]
    assert "ratio" not in by_name["ours/train/memory/100"]


def test_processor_time_is_that_of_the_side():
    def spin():
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass

    rested = cases._cpu_seconds(timing.Side("ours/x", lambda: time.sleep(0.3), 1))
    assert rested < 0.25
    assert 0.3 <= cases._cpu_seconds(timing.Side("ours/x", spin, 1)) < 0.6


def test_resident_memory_is_that_of_a_process_of_its_own(data):
    (row,) = memory.rows(data, ["none"], passes=2, repeats=2)
    assert (row["name"], row["repeats"]) == ("ours/resident/none", 2)
    assert 200.0 < row["min"] <= row["max"] < 4000.0


def test_package_around_a_peer_that_is_not_there_is_no_error():
    assert not input_peers.Library(("no_such_package.peer",), "nobody's", "none").is_installed


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True if name in ("tensorflow", "keras") else None)
    assert [(peer.words, peer.extra) for peer in input_peers.missing()] == [
        ("PyTorch's DataLoader", "peers"),
        ("Google's Grain", "peers"),
        ("NVIDIA's DALI", "dali"),
    ]
