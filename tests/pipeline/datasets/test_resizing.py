import hashlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import resizing

SIDES = st.integers(1, 90)


def noise(height, width):
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), np.uint8)


def test_an_image_of_the_size_stays():
    image = noise(32, 32)
    np.testing.assert_array_equal(resizing.resize(image, 32), image)


@given(SIDES, st.integers(0, 40))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_an_image_whose_shorter_side_fits_is_only_cropped(size, more):
    wide, left = noise(size, size + more), more // 2
    np.testing.assert_array_equal(resizing.resize(wide, size), wide[:, left : left + size])
    high = wide.transpose(1, 0, 2)
    np.testing.assert_array_equal(resizing.resize(high, size), high[left : left + size])


# Shapes that resizing the shorter side and cropping the longer one, as torchvision and timm do, divide without rest.
@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(64, 96, 32), (96, 64, 32), (150, 90, 30), (90, 90, 30), (40, 80, 8), (16, 24, 32), (7, 7, 224), (333, 111, 37)],
)
def test_it_equals_a_resized_shorter_side_and_a_cropped_longer_one(height, width, size):
    image = noise(height, width)
    scaled = (width * size // min(height, width), height * size // min(height, width))
    whole = np.asarray(PIL.Image.fromarray(image).resize(scaled, PIL.Image.Resampling.BICUBIC))
    top, left = (scaled[1] - size) // 2, (scaled[0] - size) // 2
    expected = whole[top : top + size, left : left + size]
    np.testing.assert_array_equal(resizing.resize(image, size), expected)


@given(SIDES, SIDES, SIDES, st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_shape_becomes_the_square_and_one_color_stays(height, width, size, color):
    image = np.full((height, width, 3), color, np.uint8)
    resized = resizing.resize(image, size)
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, np.full((size, size, 3), color, np.uint8))


@given(SIDES, st.integers(0, 20), SIDES)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_mirroring_commutes_with_resizing(side, margin, size):
    image = noise(side, side + 2 * margin)
    mirrored = resizing.resize(image[:, ::-1], size)[:, ::-1]
    np.testing.assert_allclose(mirrored.astype(int), resizing.resize(image, size), rtol=0, atol=1)


def test_details_below_a_pixel_are_averaged():
    board = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    resized = resizing.resize(np.dstack([board] * 3), 32)
    assert np.abs(resized.astype(int) - 127).max() <= 2


def test_a_line_of_many_pixels_takes_no_memory_of_a_square():
    assert resizing.resize(noise(1, 300_000), 64).shape == (64, 64, 3)


@pytest.mark.parametrize(("size", "start"), [(64, "5867eaa6080c842e"), (224, "4763f4fd808cb8d8")])
def test_every_machine_gives_the_same_pixels(size, start):
    rows, columns = np.indices((101, 150))
    image = np.stack([rows * columns, rows * 7 + columns * 3, rows ^ columns], axis=2).astype(np.uint8)
    assert hashlib.sha256(resizing.resize(image, size).tobytes()).hexdigest().startswith(start)
