"""torchvision draws for each image, and is left out where it is not installed."""

import numpy as np
import pytest

from benchmarks.augment import torchvision_peer


def test_absent_torchvision_is_told_in_one_line(batch, no_torchvision, capsys):
    assert torchvision_peer.load(batch.images.numpy()) == {}
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert told.startswith("peer/torchvision/original is left out: ")
    assert "pip install -e '.[peers]'" in told


def test_torchvision_draws_for_each_image(batch):
    pytest.importorskip("torchvision")
    twice = np.repeat(batch.images.numpy()[:1], 2, axis=0)
    images = torchvision_peer.Loader(twice, num_workers=0)(2).numpy()
    assert (images.shape, images.dtype) == ((2, 3, 32, 32), np.float32)
    assert not np.array_equal(images[0], images[1])


def test_torchvision_is_asked_for_whole_batches():
    sampler = torchvision_peer.SameBatches(3)
    sampler.num_batches = 2
    assert (len(sampler), list(sampler)) == (2, [[0, 1, 2], [0, 1, 2]])
