"""The figures of an exploration."""

import dataclasses

import numpy as np

from pipeline.explore import pictures as explore_pictures
from pipeline.explore import statistics
from pipeline.gallery import image_grid
from tests.pipeline.gallery.overlaps import assert_nothing_overlaps


def test_every_class_is_shown_under_its_name(tiny, survey, official):
    picture = explore_pictures.samples(tiny, survey)
    assert [row.name for row in picture.rows] == list(survey.coarse_names)
    name_of = {
        image.tobytes(): survey.fine_names[fine]
        for image, fine in zip(official["image"], official["fine"], strict=True)
    }
    shown = [name for row in picture.rows for name in row.captions]
    assert sorted(shown) == sorted(survey.fine_names)
    assert [name_of[image.tobytes()] for row in picture.rows for image in row.images] == shown
    assert "GENERATED, NOT CIFAR-100" in picture.title
    assert_nothing_overlaps(image_grid.draw(picture))


def test_classes_without_superclasses_are_shown_in_the_order_of_their_labels(tiny, survey):
    one_level = dataclasses.replace(survey, coarse_names=(statistics.EVERY_CLASS,))
    shown = [name for row in explore_pictures.samples(tiny, one_level).rows for name in row.captions]
    assert shown == list(survey.fine_names)
    names = [row.name for row in explore_pictures.augmented(tiny, one_level, "none", 0).rows]
    assert names == [name for name in survey.fine_names if name in names]


def test_mean_images_are_those_of_the_training_images(survey):
    picture = explore_pictures.mean_images(survey)
    first, *others = picture.rows
    assert np.abs(first.images[0] - survey.pixels["train"].mean_image).max() <= 0.5
    assert [name for row in others for name in row.captions] == list(survey.coarse_names)
    shown = np.concatenate([row.images for row in others])
    for image, mean in zip(shown, survey.pixels["train"].coarse_mean_images, strict=True):
        assert (image.min(), image.max()) == (0, 255)
        assert np.abs(image - (mean - mean.min()) * 255 / np.ptp(mean)).max() <= 0.501
    assert_nothing_overlaps(image_grid.draw(picture))


def test_grey_image_cannot_be_stretched():
    np.testing.assert_array_equal(explore_pictures.stretched(np.full((2, 2, 3), 7.0)), 7.0)


def test_views_of_a_crop_stand_beside_the_middle(tiny, survey):
    whole, cropped = (
        explore_pictures.augmented(dataclasses.replace(tiny, crop_size=size), survey, "flip_crop", 0).rows
        for size in (0, 24)
    )
    for row, crop in zip(whole, cropped, strict=True):
        np.testing.assert_array_equal(crop.images[0], row.images[0][4:28, 4:28])


def test_views_stand_beside_their_originals(tiny, survey, official):
    unchanged = explore_pictures.augmented(tiny, survey, "none", 0)
    picture = explore_pictures.augmented(tiny, survey, "alternating_flip_shift", 0)
    originals = {image.tobytes() for image in official["image"]}
    for plain, row in zip(unchanged.rows, picture.rows, strict=True):
        assert plain.images[0].tobytes() in originals
        assert (plain.images == plain.images[0]).all()
        np.testing.assert_array_equal(row.images[0], plain.images[0])
        assert len({image.tobytes() for image in row.images[1:]}) > 1
    assert_nothing_overlaps(image_grid.draw(picture))
    other = explore_pictures.augmented(tiny, survey, "alternating_flip_shift", 1)
    assert [row.name for row in other.rows] != [row.name for row in picture.rows]
