"""Our loaders have batches of their size, and do not end."""

import dataclasses
import itertools

import numpy as np
import pytest

from benchmarks.input import cases
from pipeline.common import errors
from pipeline.data_config import DataConfig


@pytest.fixture(scope="module")
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


def images_of(batch) -> int:
    first = batch["image"] if isinstance(batch, dict) else batch[0] if isinstance(batch, tuple | list) else batch
    return len(first)


def test_every_setting_yields_batches_of_its_size(data):
    made = [*cases.by_setting(data, (50, 100)), *cases.variants(data)]
    assert len({loader.labels.name for loader in made}) == len(made)
    for loader in made:
        sizes = [images_of(batch) for batch in itertools.islice(loader.make(), 3)]
        assert sizes == [loader.labels.batch_size] * 3


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


def test_batches_larger_than_the_part_are_refused_before_anything_is_measured(data):
    with pytest.raises(errors.BadArgumentError, match=r"batch_size=1501: .* 1500 .*; set a smaller --batch_size$"):
        cases.examples(dataclasses.replace(data, batch_size=1501))


def test_ceilings_go_round_and_round():
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3), np.uint8)
    for loader in cases.ceilings(images, 10):
        assert [images_of(batch) for batch in itertools.islice(loader.make(), 7)] == [10] * 7
