"""Statistics of a data set against NumPy's."""

import dataclasses

import numpy as np
import pytest

from pipeline.data_config import DataConfig
from pipeline.datasets import builtin
from pipeline.datasets.shapes100 import drawing
from pipeline.explore import statistics
from pipeline.explore.statistics import PARTS, PixelSums


def test_every_part_is_counted_by_both_labels(survey):
    assert {part: set(survey.fine_counts(part)) for part in PARTS} == {"train": {15}, "validation": {5}, "test": {5}}
    assert {part: set(survey.coarse_counts(part)) for part in PARTS} == {
        "train": {75},
        "validation": {25},
        "test": {25},
    }
    assert survey.is_nested
    coarse_of = {fine: coarse for coarse, members in survey.members.items() for fine in members}
    assert tuple(coarse_of[fine] for fine in range(100)) == tuple(drawing.FINE_TO_COARSE)


def test_sums_of_train_and_validation_are_those_of_the_official_split(survey, official):
    both = survey.pixels["train"] + survey.pixels["validation"]
    images = official["image"].astype(np.float64)
    assert both.num_images == len(images)
    np.testing.assert_allclose(both.channel_mean, images.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(both.channel_std, images.std(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(both.mean_image, images.mean(axis=0), rtol=1e-12)
    for coarse, mean in enumerate(both.coarse_mean_images):
        np.testing.assert_allclose(mean, images[official["coarse"] == coarse].mean(axis=0), rtol=1e-12)


def test_pixels_of_test_images_are_not_looked_at(survey):
    assert set(survey.pixels) == {"train", "validation"}


def test_size_of_batches_changes_nothing(tiny, survey, monkeypatch):
    monkeypatch.setattr(statistics, "BATCH", 77)
    again = statistics.survey(tiny)
    for part in PARTS:
        np.testing.assert_array_equal(again.label_pairs[part], survey.label_pairs[part])
    for part, pixels in survey.pixels.items():
        for field in dataclasses.fields(PixelSums):
            np.testing.assert_array_equal(getattr(again.pixels[part], field.name), getattr(pixels, field.name))


@pytest.mark.real_data
def test_models_scale_by_the_statistics_of_the_official_split(real_data_dir):
    survey = statistics.survey(DataConfig(data_dir=real_data_dir))
    both = survey.pixels["train"] + survey.pixels["validation"]
    np.testing.assert_allclose(both.channel_mean, builtin.CHANNEL_MEANS, atol=6e-4)
    np.testing.assert_allclose(both.channel_std, builtin.CHANNEL_DEVIATIONS, atol=6e-4)
    assert {part: set(survey.fine_counts(part)) for part in PARTS} == {
        "train": {400},
        "validation": {100},
        "test": {100},
    }


def test_middle_and_frame_of_a_square():
    image = np.zeros((32, 32, 3))
    image[8:24, 8:24] = 200
    image[0] = 24
    assert statistics.middle_and_frame(image) == (200, 1)


def test_real_data_are_named_without_a_warning(uneven):
    assert uneven.title == "cifar100"
