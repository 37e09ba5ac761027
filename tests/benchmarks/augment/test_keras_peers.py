"""Keras's layers and generator at the work of ours."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.augment import cases, choice, keras_peers
from pipeline.augment import composition
from tests.benchmarks.augment.conftest import BATCH_SIZE, OLD_SCIPY

PEERED = tuple(what for what in choice.NAMES if keras_peers.keras_peer(what))


@pytest.mark.parametrize("what", PEERED)
def test_keras_peer_changes_the_images_and_mixes_labels_where_we_do(what, batch):
    stacked = keras_peers.Stacked(keras_peers.keras_peer(what).layers)
    (first, targets), (second, _) = stacked(*batch), stacked(*batch)
    assert (first.shape, first.dtype) == ((BATCH_SIZE, 32, 32, 3), tf.float32)
    mixes = composition.mixes_labels(cases.transforms(what, 32))
    assert targets.shape == (BATCH_SIZE, 120)
    assert mixes != np.array_equal(targets, batch.targets)
    if what not in ("AugMix", "augmix"):  # chooses its operations when it is traced; now and then none
        assert not np.array_equal(first, tf.cast(batch.images, tf.float32))
        assert not np.array_equal(first, second)
    assert 0.0 <= np.min(first) < 64.0 < 128.0 < np.max(first) <= 255.01


UNPEERED = {"none", "MixUpOrCutMix", "TrivialAugmentWide", "trivial_augment", "modern"}  # Keras has no such layer


def test_keras_peers_have_our_names():
    assert set(choice.NAMES) == {*PEERED, *UNPEERED}
    assert set(PEERED) >= keras_peers._EQUAL | keras_peers._SETS.keys()


def test_xla_compiles_the_peers_that_it_can():
    for what, xla in {"HorizontalFlip": True, "Cutout": True, "flip_shift": False, "MixUp": False}.items():
        assert keras_peers.Stacked(keras_peers.keras_peer(what).layers).xla is xla, what


@OLD_SCIPY
def test_generator_gives_batches_of_the_study_in_the_fixed_order(batch):
    generator = keras_peers.Generator(batch.images.numpy())
    first, second = generator(1), generator(2)
    assert (first.shape, first.dtype) == ((BATCH_SIZE, 32, 32, 3), np.float32)
    assert not np.array_equal(first, second)
    # A channel shift is one value for the image: without geometry, means stay near those of the originals.
    assert np.corrcoef(first.mean(axis=(1, 2, 3)), batch.images.numpy().mean(axis=(1, 2, 3)))[0, 1] > 0.2
