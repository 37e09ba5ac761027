"""Feeds hold what they say, go on where they were, and become rows with shares and ratios."""

import dataclasses
import itertools
import weakref

import numpy as np
import pytest

from benchmarks import input_peers, input_sides, own_process
from pipeline.data_config import DataConfig


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


def images_of(batch) -> int:
    first = batch["image"] if isinstance(batch, dict) else batch[0] if isinstance(batch, tuple | list) else batch
    return len(first)


def test_every_setting_yields_batches_of_its_size(data):
    feeds = input_sides.settings(data, (50, 100))
    assert len({feed.name for feed in feeds}) == len(feeds)
    for feed in feeds:
        assert [images_of(batch) for batch in itertools.islice(feed.make(), 3)] == [feed.batch_size] * 3


def test_side_begins_anew_lets_a_pass_go_by_and_times_whole_batches():
    taken = []
    feed = input_sides.Feed("ours/x", lambda: map(taken.append, itertools.count()), 10)
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

    side = input_sides.Feed("ours/x", make, 10).side(100, passes=1)
    side.before()
    side.run()
    assert streams[0]() is not None
    side.after()
    assert streams[0]() is None


def test_stages_are_cut_off_one_after_the_other(data):
    feeds = input_sides.by_stage(data)
    assert feeds[0].name == "ours/stage/0_Read"
    assert [feed.name.split("/")[-1][0] for feed in feeds] == [str(number) for number in range(len(feeds))]
    assert any("Decode" in feed.name for feed in feeds)
    for feed in feeds:
        assert len(list(itertools.islice(feed.make(), 20))) == 20  # more than a pass: none of them ends


def test_examples_are_all_of_the_training_part(data):
    images, labels = input_sides.examples(data)
    assert (images.shape, images.dtype) == ((1500, 32, 32, 3), np.uint8)
    assert np.bincount(labels).tolist() == [15] * 100


def test_peers_feed_every_image_once_a_pass_and_the_passes_differ(data):
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    labels = np.arange(200, dtype=np.int32)
    for feed in input_peers.feeds(images, labels, 50):
        if "torch" in feed.name:
            continue  # a worker's process would import this
        stream = feed.make()
        passes = [np.concatenate([_labels(next(stream)) for _ in range(4)]) for _ in range(2)]
        assert sorted(passes[0].tolist()) == list(range(200)), feed.name
        assert passes[0].tolist() != passes[1].tolist() or "grain" in feed.name
        assert passes[0].tolist() != list(range(200))


def _labels(batch) -> np.ndarray:
    return np.asarray(batch["fine"] if isinstance(batch, dict) else batch[1])


def test_ceilings_go_round_and_round():
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), np.uint8)
    for feed in input_sides.ceilings(images, 10):
        assert [images_of(batch) for batch in itertools.islice(feed.make(), 7)] == [10] * 7


def test_rows_carry_shares_ratios_and_processor_time():
    def endless():
        return itertools.repeat(np.zeros((100, 32, 32, 3), np.uint8).copy())

    names = ("ours/ceiling/copy", "ours/train/memory/100", "peer/x")
    rows = input_sides.rows([input_sides.Feed(name, endless, 100) for name in names], 2, 3, 1000, names[1])
    by_name = {row["name"]: row for row in rows}
    assert by_name["ours/ceiling/copy"]["ceiling_share"] == 1.0
    assert by_name["peer/x"]["ratio_of"] == ["ours/train/memory/100", "peer/x"]
    assert "ratio" not in by_name["ours/train/memory/100"]
    assert all(row["cpu_s_per_million"] >= 0.0 for row in rows)


def test_resident_memory_is_that_of_a_process_of_its_own(data):
    held = {
        cache: own_process.call("input_memory.taken", given(data, cache))["peak_mib"] for cache in ("none", "memory")
    }
    assert all(200.0 < mib < 4000.0 for mib in held.values()), held


def given(data, cache: str) -> dict:
    return {"data": dataclasses.replace(data, cache=cache).as_dict(), "passes": 2}


def test_package_around_a_peer_that_is_not_there_is_no_error():
    assert not input_peers.Optional("no_such_package.peer", "nobody's", "none").is_installed


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert [peer.words for peer in input_peers.missing()] == [
        "PyTorch's DataLoader",
        "Google's Grain",
        "NVIDIA's DALI",
    ]
    names = [feed.name for feed in input_peers.feeds(np.zeros((4, 2, 2, 3), np.uint8), np.zeros(4, np.int32), 2)]
    assert names == ["peer/tf_data/study_arrays", "peer/tf_data/uint8_arrays", "peer/keras/pydataset"]
