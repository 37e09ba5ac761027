"""Where data enter."""

import numpy as np
import pytest

from pipeline import errors, shapes, source, stages
from pipeline.data_config import SourceConfig


def test_unprepared_data_set_names_the_command(tmp_path):
    with pytest.raises(errors.FailedError, match=r"run: python -m pipeline.prepare --dataset=cifar100 --data_dir="):
        source.open_builder(SourceConfig(data_dir=str(tmp_path)))


def test_read_gives_every_example_in_one_order(tiny_data_dir):
    builder = source.open_builder(SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir))
    first, second = ([int(e["fine"]) for e in source.read(builder, "train").as_numpy_iterator()] for _ in range(2))
    assert len(first) == source.num_examples(builder, "train") == 2000
    assert first == second
    assert first != sorted(first)


def test_decoded_examples_have_the_documented_form(tiny_data_dir):
    builder = source.open_builder(SourceConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir))
    example = next(iter(stages.Decode()(source.read(builder, "test")).as_numpy_iterator()))
    assert example["image"].shape == (32, 32, 3)
    assert example["image"].dtype == np.uint8
    assert example["fine"].dtype == example["coarse"].dtype == np.int32
    assert shapes.FINE_TO_COARSE[example["fine"]] == example["coarse"]
