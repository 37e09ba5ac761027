"""Our transforms and sets, as the training step runs them."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.augment import cases, choice
from pipeline.augment import composition
from pipeline.augment.sets import SETS
from pipeline.common import errors
from tests.benchmarks.augment.conftest import BATCH_SIZE


def test_batch_is_uint8_images_and_both_labels_one_hot(batch):
    assert (batch.images.shape, batch.images.dtype) == ((BATCH_SIZE, 32, 32, 3), tf.uint8)
    assert batch.targets.shape == (BATCH_SIZE, 120)
    np.testing.assert_array_equal(tf.reduce_sum(batch.targets[:, :100], axis=1), 1.0)
    np.testing.assert_array_equal(tf.reduce_sum(batch.targets[:, 100:], axis=1), 1.0)


@pytest.mark.parametrize("what", ["none", "flip_shift", "Cutout", "MixUp"])
def test_set_and_transform_are_cases_of_ours_and_draw_anew(what, batch):
    work = cases.ours(what, batch)
    first, second = work.run(1), work.run(1)
    assert work.labels.name == f"ours/{what}"
    assert (first.shape, first.dtype) == ((BATCH_SIZE, 32, 32, 3), tf.float32)
    assert (what == "none") == np.array_equal(first, second)


def test_every_set_is_among_the_names_once():
    assert set(SETS) < set(choice.NAMES)
    assert len(set(choice.NAMES)) == len(choice.NAMES)
    assert [what for what in choice.NAMES if not cases.transforms(what, 32)] == ["none"]


def test_ours_is_what_the_training_step_does_and_the_fourth_batch_is_step_3(batch):
    transforms = cases.transforms("original", 32)
    views = composition.Views(tf.range(BATCH_SIZE, dtype=tf.int64), tf.fill([BATCH_SIZE], tf.constant(3, tf.int64)))
    drawn = composition.draw_all(transforms, 0, tf.constant(3, tf.int64), views)
    expected = composition.apply_all(batch.images, transforms, drawn)
    np.testing.assert_allclose(cases.ours("original", batch).run(4), expected, atol=0.01)


def test_unknown_name_is_refused():
    with pytest.raises(errors.BadArgumentError, match=r"sets='orignal'.*did you mean 'original'"):
        choice.check(["flip_shift", "orignal"])
