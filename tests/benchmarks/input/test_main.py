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
from benchmarks.harness.labels import Labels
from benchmarks.input import cases, loaders
from benchmarks.input import peers as input_peers
from benchmarks.input import rows as input_rows
from pipeline.common import errors
from pipeline.data_config import DataConfig


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


TEN = Labels("ours/x", "train", batch_size=10)


def images_of(batch) -> int:
    first = batch["image"] if isinstance(batch, dict) else batch[0] if isinstance(batch, tuple | list) else batch
    return len(first)


def test_every_setting_yields_batches_of_its_size(data):
    made = [*cases.by_setting(data, (50, 100)), *cases.variants(data)]
    assert len({loader.labels.name for loader in made}) == len(made)
    for loader in made:
        sizes = [images_of(batch) for batch in itertools.islice(loader.make(), 3)]
        assert sizes == [loader.labels.batch_size] * 3


def test_case_begins_anew_lets_a_pass_go_by_and_times_whole_batches():
    taken = []
    loader = loaders.Loader(TEN, lambda: map(taken.append, itertools.count()))
    case = loader.case(45, passes=2)
    assert case.num_units == 80
    for _ in range(2):
        case.before()
        assert taken == [0, 1, 2, 3]
        case.run()
        assert taken == list(range(12))
        case.after()
        taken.clear()


def test_nothing_of_a_case_is_left_behind_its_turn():
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

    case = loaders.Loader(TEN, make).case(100, passes=1)
    case.before()
    case.run()
    assert streams[0]() is not None
    case.after()
    assert streams[0]() is None


def test_stages_are_cut_off_one_after_the_other(data):
    found = cases.by_stage(data)
    assert found[0].labels.name == "ours/stage/0_Read"
    assert [loader.labels.name.split("/")[-1][0] for loader in found] == [str(number) for number in range(len(found))]
    assert any(loader.labels.stage == "Decode" for loader in found)
    for loader in found:
        assert len(list(itertools.islice(loader.make(), 20))) == 20  # more than a pass: none of them ends


def test_examples_are_all_of_the_training_part(data):
    images, labels = cases.examples(data)
    assert (images.shape, images.dtype) == ((1500, 32, 32, 3), np.uint8)
    assert np.bincount(labels).tolist() == [15] * 100


@pytest.mark.parametrize("name", [name for name in input_peers.PEERS if "workers_2" not in name])
def test_peers_feed_every_image_once_a_pass_in_another_order(name):
    peer = input_peers.PEERS[name]
    if not peer.library.is_installed:
        pytest.skip(f"{peer.library.title}: the extra {peer.library.extra}")
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    stream = peer.make(images, np.arange(200, dtype=np.int32), 50)
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
        (case,) = input_peers.start(stack, images, labels, 10, passes=2)
        assert (case.name, case.num_units) == ("peer/keras/pydataset", 80)
        case.before()
        case.run()
        case.after()
        with pytest.raises(errors.FailedError, match=r"peer/keras/pydataset: IndexError: .*; --nopeers leaves"):
            case.run()  # it is let go of


def test_peer_that_does_not_work_is_left_out_in_one_line(monkeypatch, capsys):
    images, labels = np.zeros((40, 2, 2, 3), np.uint8), np.arange(40, dtype=np.int32)
    broken, short = (
        input_peers.Peer(Labels(f"peer/{name}/x", "train"), input_peers.KERAS, make)
        for name, make in {"broken": os.kill, "short": three_batches}.items()
    )
    peers = {peer.labels.name: peer for peer in (broken, short)}
    monkeypatch.setattr(input_peers, "PEERS", peers)
    with contextlib.ExitStack() as stack:
        assert input_peers.start(stack, images, labels, 10, passes=2) == []
    broken, short = capsys.readouterr().out.splitlines()
    assert broken.startswith("left out: peer/broken/x: TypeError: ")
    assert short.startswith("left out: peer/short/x: FailedError: a loader ended after 3 of 4 batches")


def three_batches(images, labels, batch_size):
    return iter(range(3))


def test_loader_that_ends_is_not_measured():
    case = loaders.Loader(TEN, lambda: iter(range(15))).case(100, passes=1)
    case.before()
    with pytest.raises(errors.FailedError, match="ended after 5 of 10 batches"):
        case.run()


def test_batches_larger_than_the_part_are_refused_before_anything_is_measured(data):
    with pytest.raises(errors.BadArgumentError, match="batch_size=1501: expected at most the 1500"):
        cases.examples(dataclasses.replace(data, batch_size=1501))


def _labels(batch) -> np.ndarray:
    return np.asarray(batch["fine"] if isinstance(batch, dict) else batch[1]).ravel()


def test_ceilings_go_round_and_round():
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), np.uint8)
    for loader in cases.ceilings(images, 10):
        assert [images_of(batch) for batch in itertools.islice(loader.make(), 7)] == [10] * 7


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
    (row,) = input_rows.resident(data, ["none"], passes=2, repeats=2)
    assert (row.name, row.repeats) == ("ours/resident/none", 2)
    assert 200.0 < row.min <= row.max < 4000.0


def test_package_around_a_peer_that_is_not_there_is_no_error():
    assert not input_peers.Library(("no_such_package.peer",), "nobody's", "none").is_installed


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True if name in ("tensorflow", "keras") else None)
    assert [(peer.title, peer.extra) for peer in input_peers.missing()] == [
        ("PyTorch's DataLoader", "peers"),
        ("Google's Grain", "peers"),
        ("NVIDIA's DALI", "dali"),
    ]
