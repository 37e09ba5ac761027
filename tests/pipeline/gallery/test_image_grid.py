"""The layout of a grid of images."""

import numpy as np
import pytest
from PIL import Image

from pipeline.common import errors
from pipeline.gallery import image_grid
from pipeline.gallery.image_grid import Picture, Row
from tests.pipeline.gallery.overlaps import assert_nothing_overlaps


def test_long_words_and_many_lines_do_not_overlap(plain):
    long = Row("AnUnusuallyLongNameOfATransform", ("x" * 90, *"abcdefghij"), plain.images, ("word " * 30, "y" * 50) * 2)
    headings = ("a rather long name of a class", "short", "z" * 40, "middle")
    assert_nothing_overlaps(image_grid.draw(Picture("t " * 90, "s" * 200, headings, (long, long))))


def test_pixels_of_images_are_squares_of_the_file(plain, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    small = noise[:, :20, :24]
    figure = image_grid.draw(Picture("t", "s", ("h",), (Row("a", (), noise), Row("b", (), small))))
    image_grid.write(tmp_path / "noise.png", figure)
    with Image.open(tmp_path / "noise.png") as file:
        pixels = np.asarray(file).astype(int)
    assert pixels.shape[:2] == tuple(int(length) for length in reversed(figure.bbox.size))
    factor = image_grid.ENLARGED
    for image, placed in zip((noise[0], small[0]), figure.images, strict=True):
        height, width = (factor * length for length in image.shape[:2])
        top, left = len(pixels) - placed.oy - height, placed.ox
        block = pixels[top : top + height, left : left + width]
        assert np.abs(block - np.kron(image, np.ones((factor, factor, 1), int))).max() <= 2


def test_rows_without_names_have_no_column_of_names(plain):
    named, unnamed = (image_grid.draw(Picture("", "", (), (Row(name, (), plain.images),))) for name in ("name", ""))
    assert named.bbox.width - unnamed.bbox.width == image_grid.DENSITY * (image_grid.NAME_WIDTH + image_grid.GAP)
    assert min(image.ox for image in unnamed.images) == image_grid.DENSITY * image_grid.MARGIN


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("right +0.11, down -0.10", ["right +0.11,", "down -0.10"]),
        ("a +1, b of all inside", ["a +1,", "b of all inside"]),
        ("one two three four", ["one two three", "four"]),
        ("70\N{NO-BREAK SPACE}% maple tree wood", ["70\N{NO-BREAK SPACE}% maple", "tree wood"]),
        ("first\nsecond", ["first", "second"]),
        ("", []),
    ],
)
def test_lines_are_broken_where_one_would_break_them(text, lines):
    assert image_grid.wrapped(text, 90, image_grid.CAPTION) == lines


def test_word_wider_than_a_line_is_broken_and_loses_nothing():
    lines = image_grid.wrapped("a" + "mW" * 40, 90, image_grid.CAPTION)
    assert len(lines) > 1
    assert "".join(lines) == "a" + "mW" * 40


def test_file_that_cannot_be_written_is_told(plain, tmp_path):
    (tmp_path / "file").write_text("")
    figure = image_grid.draw(Picture("t", "s", plain.names, (Row("original", (), plain.images),)))
    with pytest.raises(errors.FailedError, match="cannot be written"):
        image_grid.write(tmp_path / "file" / "picture.png", figure)
