"""The rows of a gallery against the transforms."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf

from pipeline import source, stages
from pipeline.augment import composition, sets
from pipeline.augment.geometric import HorizontalFlip
from pipeline.augment.layer import Views
from pipeline.augment.mixing import CutMix, MixUp
from pipeline.augment.windows import Shift
from pipeline.data_config import SourceConfig
from pipeline.gallery import image_grid
from pipeline.gallery import rows as gallery_rows
from pipeline.gallery.image_grid import Row
from tests.pipeline.gallery.overlaps import assert_nothing_overlaps


def rows_of(config: SourceConfig, augmentation: str, columns: int = 3) -> tuple[Row, ...]:
    return gallery_rows.build(config, augmentation, 0, columns).rows


def test_fused_transforms_have_a_row_each(tiny):
    rows = rows_of(tiny, "original")
    assert [row.name for row in rows] == [
        "original",
        *("Rotation", "Shear", "Zoom", "HorizontalFlip", "VerticalFlip", "ChannelShift"),
        "all together",
    ]
    rotation = rows[1]
    assert rotation.details == ("max_degrees=90.0", "fill='nearest'")
    assert all(re.fullmatch(r"[+-]\d+°", caption) for caption in rotation.captions)
    assert {len(row.captions) for row in rows[1:-1]} == {3}
    assert {row.images.shape for row in rows} == {(3, 32, 32, 3)}
    assert {row.images.dtype for row in rows} == {np.dtype(np.uint8)}


def test_no_transform_is_originals_alone(tiny):
    assert [row.name for row in rows_of(tiny, "none")] == ["original"]


def test_one_transform_is_not_shown_twice(plain):
    assert [row.name for row in gallery_rows.rows((HorizontalFlip(),), plain, 0)] == ["original", "HorizontalFlip"]


def test_alternating_flip_is_shown_both_ways(tiny):
    original, first, second, *_ = rows_of(tiny, "alternating_flip_shift", columns=6)
    assert first.name == second.name == "AlternatingFlip"
    for image, once, again, words in zip(
        original.images, first.images, second.images, zip(first.captions, second.captions, strict=True), strict=True
    ):
        shown = {"unchanged": image, "mirrored": image[:, ::-1]}
        assert set(words) == set(shown)
        np.testing.assert_array_equal(once, shown[words[0]])
        np.testing.assert_array_equal(again, shown[words[1]])


@pytest.mark.parametrize("augmentation", ["alternating_flip_shift", "flip_crop_cutout", "original"])
def test_last_row_is_what_training_sees_of_the_same_draws(tiny, augmentation):
    original, *_, together = rows_of(tiny, augmentation)
    transforms = sets.build(augmentation, 32)
    drawn = composition.draw_all(transforms, 0, tf.constant(0, tf.int64), Views.of(3))
    expected = composition.apply_all(original.images, transforms, drawn)
    np.testing.assert_allclose(together.images, expected, atol=0.51)  # rounded, and XLA's own rounding


def test_images_are_cropped_before_what_follows(tiny):
    original, crop, *rows = rows_of(dataclasses.replace(tiny, crop_size=24), "rand_augment")
    assert (original.images.shape[1], crop.images.shape[1]) == (32, 24)
    assert [row.name for row in rows] == ["HorizontalFlip", "RandAugment", "Cutout", "all together"]
    assert {row.images.shape[1] for row in rows} == {24}
    for image, flipped, caption in zip(original.images, rows[0].images, rows[0].captions, strict=True):
        middle = image[4:28, 4:28]
        np.testing.assert_array_equal(flipped, middle[:, ::-1] if caption == "mirrored" else middle)


def test_row_of_a_transform_shows_what_its_caption_says(tiny):
    original, flip, *_ = rows_of(tiny, "flip_shift", columns=8)
    assert set(flip.captions) == {"unchanged", "mirrored"}
    for image, flipped, caption in zip(original.images, flip.images, flip.captions, strict=True):
        np.testing.assert_array_equal(flipped, image[:, ::-1] if caption == "mirrored" else image)


def test_figures_stay_with_their_words(plain):
    _, _, row, *_ = gallery_rows.rows((HorizontalFlip(), Shift()), plain, 0)
    assert all(
        re.fullmatch("down\N{NO-BREAK SPACE}[+-]\\d, right\N{NO-BREAK SPACE}[+-]\\d\N{NO-BREAK SPACE}px", words)
        for words in row.captions
    )


def test_mixed_labels_are_the_shares_of_the_pixels(plain):
    _, row = gallery_rows.rows((CutMix(),), plain, 1)
    greys = dict(zip(plain.names, (0, 60, 120, 240), strict=True))
    assert any("\n" in caption for caption in row.captions)
    for image, caption in zip(row.images, row.captions, strict=True):
        shares = re.findall(r"^(\d+)\N{NO-BREAK SPACE}% (\w+)$", caption, re.MULTILINE)
        for share, name in shares:
            assert int(share) == pytest.approx(100 * np.mean(image[..., 0] == greys[name]), abs=0.51)
        assert sum(int(share) for share, _ in shares) == pytest.approx(100, abs=1)


def test_all_together_says_the_labels_that_all_of_them_mix(plain):
    *_, together = gallery_rows.rows((HorizontalFlip(), MixUp(1.0), MixUp(1.0)), plain, 0)
    assert max(caption.count("\n") for caption in together.captions) >= 2  # a partner, and the partner's
    greys = dict(zip(plain.names, (0, 60, 120, 240), strict=True))
    for image, caption in zip(together.images, together.captions, strict=True):
        shares = re.findall(r"^(\d+)\N{NO-BREAK SPACE}% (\w+)$", caption, re.MULTILINE)
        assert image.mean() == pytest.approx(sum(int(share) * greys[name] for share, name in shares) / 100, abs=4)


def test_images_are_training_images_of_distinct_classes(tiny):
    builder = source.open_builder(tiny)
    names = builder.info.features["label"].names
    train = stages.chain(source.read(builder, "train"), (stages.Decode(32),)).unbatch().as_numpy_iterator()
    known = {example["image"].tobytes(): names[example["fine"]].replace("_", " ") for example in train}
    chosen = gallery_rows.choose(tiny, 0, 20)
    assert len(set(chosen.names)) == 20
    assert [known[image.tobytes()] for image in chosen.images] == list(chosen.names)
    assert set(gallery_rows.choose(tiny, 1, 20).names) != set(chosen.names)


def test_seed_decides_the_file(tiny, tmp_path):
    for name, seed in (("one", 5), ("same", 5), ("other", 6)):
        picture = gallery_rows.build(tiny, "flip_crop", seed, 2)
        image_grid.write(tmp_path / f"{name}.png", image_grid.draw(picture))
    one, same, other = ((tmp_path / f"{name}.png").read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("augmentation", sets.SETS)
def test_every_set_can_be_drawn_without_overlaps(tiny, augmentation):
    picture = gallery_rows.build(tiny, augmentation, 0, 7)
    figure = image_grid.draw(picture)
    assert len(figure.images) == 7 * len(picture.rows)
    assert_nothing_overlaps(figure)
    shown = " ".join(text.get_text() for text in figure.texts)
    for part in (augmentation, "shapes100_tiny", "training split", "seed 0", *(row.name for row in picture.rows)):
        assert part in shown
