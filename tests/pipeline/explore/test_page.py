"""The page of an exploration."""

import dataclasses

import numpy as np
import pytest

from pipeline.common import errors
from pipeline.explore import __main__ as explore
from pipeline.explore import page as explore_page
from pipeline.explore import statistics


def test_a_table_of_many_classes_ends_with_the_sums_of_the_rest():
    counts = {"train": np.full(explore_page.MAX_ROWS + 2, 3)}
    table = explore_page._counts("class", tuple(map(str, range(explore_page.MAX_ROWS + 2))), counts).splitlines()
    assert table[-3:] == [f"| {explore_page.MAX_ROWS - 1} | 3 |", "| 2 more | 6 |", "| all | 3,006 |"]


def test_page_tells_what_was_found(survey, tmp_path):
    pictures = explore.picture_paths(str(tmp_path))
    page = explore_page.markdown(survey, "flip_shift", 7, pictures)
    assert page.startswith("# shapes100_tiny: GENERATED, NOT CIFAR-100\n")
    assert "in exactly one superclass" in page
    assert "The 100 classes: train: 15 images each, validation: 5 images each, test: 5 images each." in page
    assert "The 20 superclasses: train: 75 images each, validation: 25 images each, test: 25 images each." in page
    first = survey.coarse_names[0]
    members = ", ".join(survey.fine_names[fine] for fine in survey.members[0])
    assert f"| {first} | {members} |\n" in page
    assert f"| {first} | 75 | 25 | 25 |\n" in page
    assert "| all | 1,500 | 500 | 500 |" in page
    mean, std = survey.pixels["train"].channel_mean[2], survey.pixels["train"].channel_std[2]
    assert f"| train, 1,500 | blue | {mean:.3f} | {std:.3f} | {mean / 255:.4f} | {std / 255:.4f} |" in page
    assert "`flip_shift`, seed 7" in page
    assert all(f"]({path.name})" in page for path in pictures.values())
    assert "NOT equal" not in page


def test_page_tells_what_is_not_equal(uneven, tmp_path):
    page = explore_page.markdown(uneven, "none", 0, explore.picture_paths(str(tmp_path)))
    assert page.startswith("# cifar100\n")
    assert "**NOT in exactly one superclass**" in page
    assert "train: **NOT equal**, 39 (bear) to 40 (apple), validation: 10 images each" in page
    assert "test: **NOT equal**, 1 (apple) to 10 (bear)" in page
    assert "test: **NOT equal**, 10 (small) to 11 (big)" in page


def test_page_of_one_level_of_labels_knows_neither_superclasses_nor_official_splits(one_level, tmp_path):
    page = explore_page.markdown(one_level, "none", 0, explore.picture_paths(str(tmp_path)))
    assert "superclass" not in page
    assert "official" not in page


def test_nothing_held_out_is_no_statistics_of_nothing(tiny, tmp_path):
    survey = statistics.survey(dataclasses.replace(tiny, num_validation=0))
    page = explore_page.markdown(survey, "none", 0, explore.picture_paths(str(tmp_path)))
    assert "validation: 0 images each" in page
    assert "| both, 2,000 | red |" in page
    assert "| validation, 0 |" not in page
    assert "nan" not in page


def test_page_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.FailedError, match="cannot be written"):
        explore_page.write(tmp_path / "file" / "explore.md", "text")
