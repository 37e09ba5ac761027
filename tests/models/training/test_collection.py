"""The logits and images that an evaluation collects."""

import numpy as np
import pytest
import tensorflow as tf

from models.config.training import TrainConfig
from models.training import collection
from pipeline.batches import EVAL_BATCH_SIZE
from pipeline.datasets.description import Classes

CLASSES = Classes(("a", "b", "c"), ("x", "y"), (0, 0, 1))
COUNT = 1200  # examples: two whole batches and a part


def batches():
    """Padded batches; image, labels and logits of an example follow from its number."""
    for start in range(0, COUNT, EVAL_BATCH_SIZE):
        numbers = np.arange(start, start + EVAL_BATCH_SIZE)
        images = np.broadcast_to((numbers % 251)[:, None, None, None], (EVAL_BATCH_SIZE, 2, 2, 3)).astype(np.uint8)
        batch = {"image": images, "fine": numbers % 3, "coarse": numbers % 3 // 2, "mask": numbers < COUNT}
        logits = {"fine": np.outer(numbers, [1, 2, 3]), "coarse": np.outer(numbers, [5, 7])}
        yield (
            {name: tf.constant(value) for name, value in batch.items()},
            {name: tf.constant(value, tf.float32) for name, value in logits.items()},
        )


@pytest.mark.parametrize(("max_logits", "stride"), [(2**28, 1), (5 * 1200, 1), (5 * 1200 - 1, 2), (1000, 6)])
def test_logits_are_of_each_example_or_evenly_spaced_ones(monkeypatch, max_logits, stride):
    monkeypatch.setattr(collection, "MAX_LOGITS", max_logits)
    collected = collection.Logits(TrainConfig(heads="both"), CLASSES, COUNT)
    for batch, logits in batches():
        collected.add(batch, logits)
    numbers = np.arange(0, COUNT, stride)
    assert collected.stride == stride
    np.testing.assert_array_equal(collected.logits["fine"], np.outer(numbers, [1, 2, 3]))
    np.testing.assert_array_equal(collected.logits["coarse"], np.outer(numbers, [5, 7]))
    np.testing.assert_array_equal(collected.labels["fine"], numbers % 3)
    np.testing.assert_array_equal(collected.labels["coarse"], numbers % 3 // 2)


def test_single_head_has_logits_of_its_own_and_all_labels():
    collected = collection.Logits(TrainConfig(heads="fine"), CLASSES, COUNT)
    assert (collected.logits.keys(), collected.labels.keys()) == ({"fine"}, {"fine", "coarse"})


def test_images_are_those_of_their_numbers():
    numbers = [1199, 0, 499, 500, 7]
    collected = collection.Images(numbers)
    for batch, logits in batches():
        collected.add(batch, logits)
    assert {number: image[1, 1].tolist() for number, image in collected.images.items()} == {
        number: [number % 251] * 3 for number in numbers
    }
