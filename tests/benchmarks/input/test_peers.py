"""Peers load every image once a pass, each library in its own process; those that fail are left out."""

import contextlib
import os

import numpy as np
import pytest

from benchmarks.harness.labels import Labels
from benchmarks.input import peers as input_peers
from pipeline.common import errors


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


def _labels(batch) -> np.ndarray:
    return np.asarray(batch["fine"] if isinstance(batch, dict) else batch[1]).ravel()


def test_package_around_a_peer_that_is_not_there_is_no_error():
    assert not input_peers.Library(("no_such_package.peer",), "nobody's", "none").is_installed


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True if name in ("tensorflow", "keras") else None)
    assert [(peer.title, peer.extra) for peer in input_peers.missing()] == [
        ("PyTorch's DataLoader", "peers"),
        ("Google's Grain", "peers"),
        ("Meta's SPDL", "peers"),
        ("NVIDIA's DALI", "dali"),
    ]
