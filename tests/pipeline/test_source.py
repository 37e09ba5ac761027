"""Where data enter."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from pipeline import memory_cache, source, stages
from pipeline.common import errors
from pipeline.data_config import SourceConfig
from pipeline.datasets.shapes100 import builder as shapes100


def test_unprepared_data_set_names_the_command(tmp_path):
    with pytest.raises(errors.FailedError, match=r"run: python -m pipeline.prepare --dataset=cifar100 --data_dir="):
        source.open_builder(SourceConfig(data_dir=str(tmp_path)))


def test_read_gives_every_example_in_one_order(tiny_data_dir):
    builder = source.open_builder(SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir))
    first, second = (
        [int(e["fine"]) for e in source.read(builder, "train").unbatch().as_numpy_iterator()] for _ in range(2)
    )
    assert len(first) == source.num_examples(builder, "train") == 2000
    assert first == second
    assert first != sorted(first)


def test_decoded_examples_have_the_documented_form(tiny_data_dir):
    builder = source.open_builder(SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir))
    chunks = list(stages.Decode(32)(source.read(builder, "test")).as_numpy_iterator())
    assert [len(chunk["image"]) for chunk in chunks] == [source.CHUNK] * 7 + [500 - 7 * source.CHUNK]
    for chunk in chunks:
        assert chunk["image"].shape[1:] == (32, 32, 3)
        assert chunk["image"].dtype == np.uint8
        assert chunk["fine"].dtype == chunk["coarse"].dtype == np.int32
        assert np.array_equal(np.asarray(shapes100.FINE_TO_COARSE)[chunk["fine"]], chunk["coarse"])


def test_what_is_read_is_what_tfds_itself_reads(tiny_data_dir):
    builder = source.open_builder(SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir))
    ours = memory_cache.in_memory(stages.Decode(32)(source.read(builder, "train")), 2000)
    theirs = list(builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator())
    for name, key in (("image", "image"), ("fine", "label"), ("coarse", "coarse_label")):
        assert np.array_equal(ours[name], [example[key] for example in theirs])


def test_files_that_hold_another_number_are_noticed(tiny_data_dir, monkeypatch):
    builder = source.open_builder(SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir))
    for wrong in (1999, 2001):
        monkeypatch.setattr(source, "num_examples", lambda builder, split, wrong=wrong: wrong)
        with pytest.raises(tf.errors.FailedPreconditionError, match=f"was expected to contain {wrong} elements"):
            list(source.read(builder, "train"))


def test_chunks_that_a_split_left_empty_decode_to_nothing(tiny_data_dir):
    builder = source.open_builder(SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir))
    empty = source.read(builder, "test").map(lambda chunk: {name: column[:0] for name, column in chunk.items()})
    some = source.read(builder, "test").take(2)
    found = memory_cache.in_memory(
        stages.Decode(32)(empty.take(3).concatenate(some).concatenate(empty)), 2 * source.CHUNK
    )
    assert np.array_equal(found["image"], memory_cache.in_memory(stages.Decode(32)(some), 2 * source.CHUNK)["image"])
    assert list(stages.Decode(32)(empty)) == []


@pytest.mark.real_data
def test_real_files_are_read_one_after_the_other(real_data_dir):
    builder = source.open_builder(SourceConfig(data_dir=real_data_dir))
    assert len(builder.info.splits["train"].filepaths) > 1
    ours = np.concatenate([chunk["fine"] for chunk in source.read(builder, "train").as_numpy_iterator()])
    encoded = {"image": tfds.decode.SkipDecoding()}
    in_order = tfds.ReadConfig(interleave_cycle_length=1)  # else TFDS takes some of each in turns
    theirs = builder.as_dataset(split="train", shuffle_files=False, decoders=encoded, read_config=in_order)
    assert np.array_equal(ours, [example["label"] for example in theirs.as_numpy_iterator()])


def test_files_of_another_format_are_refused(tiny_data_dir, monkeypatch):
    builder = source.open_builder(SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir))
    monkeypatch.setattr(type(builder.info), "file_format", tfds.core.FileFormat.ARRAY_RECORD)
    with pytest.raises(errors.FailedError, match="holds array_record files; expected tfrecord: prepare into another"):
        source.read(builder, "train")
