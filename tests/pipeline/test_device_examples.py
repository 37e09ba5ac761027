"""Examples on the device are those of the host, whatever their size, and are refused where they do not fit."""

import numpy as np
import psutil
import pytest
import tensorflow as tf

from pipeline.common import errors
from pipeline.device_examples import DeviceExamples


def columns(count: int, size: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(0, 256, (count, size, size, 3), np.uint8),
        "fine": generator.integers(0, 100, count).astype(np.int32),
    }


def on_device(values: dict[str, np.ndarray]) -> DeviceExamples:
    return DeviceExamples.of({name: tf.constant(value) for name, value in values.items()})


@pytest.mark.parametrize("size", [8, 9, 10])  # images of whole words of 8 bytes, and others
@pytest.mark.parametrize("batch_size", [4, None])
def test_gathered_rows_are_those_of_the_host(size, batch_size):
    values = columns(20, size)
    gather = tf.function(on_device(values).gather, input_signature=[tf.TensorSpec([batch_size], tf.int64)])
    indices = [19, 0, 7, 0]
    for name, column in gather(tf.constant(indices, tf.int64)).items():
        np.testing.assert_array_equal(column, values[name][indices])
        assert column.dtype == values[name].dtype
    assert gather.get_concrete_function().structured_outputs["image"].shape == (batch_size, size, size, 3)


def test_no_int32_and_no_uint8_is_kept():
    """TensorFlow keeps int32 on the host, and gathers no uint8 on GPUs."""
    assert {words.dtype for words in on_device(columns(3, 9)).words.values()} == {tf.int64}


def test_images_of_whole_words_are_not_copied_on_the_host():
    images = tf.fill((50_000, 32, 32, 3), tf.constant(1, tf.uint8))
    before = psutil.Process().memory_info().rss
    examples = DeviceExamples.of({"image": images})
    assert psutil.Process().memory_info().rss - before < 50_000 * 3072 / 2
    assert len(examples.words["image"]) == 50_000


def test_images_that_do_not_fit_are_refused_in_one_line(monkeypatch):
    def full(tensor):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nand so on")

    values = {name: tf.constant(value) for name, value in columns(3, 8).items()}
    monkeypatch.setattr(tf, "identity", full)
    with pytest.raises(errors.BadArgumentError, match=r"^cache=device: [^\n]*/CPU:0[^\n]* --cache=memory$"):
        DeviceExamples.of(values, "/CPU:0")
