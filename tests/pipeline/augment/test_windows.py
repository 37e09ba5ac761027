"""Whole pixels: shifts and crops against NumPy's padding and slicing, exactly."""

import numpy as np
import pytest
import scipy.stats

from pipeline.augment.windows import Crop, Shift

from .layers import draw


@pytest.mark.parametrize("pixels", [2, 5, 31])
def test_shift_equals_reflected_padding_and_crop(run, images, pixels):
    drawn = np.array([[dy, dx] for dy in (-pixels, -1, 0, pixels) for dx in (-pixels, 0, 2, pixels)], np.int32)
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode="reflect")
    expected = np.stack(
        [padded[i, pixels - dy : pixels - dy + 32, pixels - dx : pixels - dx + 32] for i, (dy, dx) in enumerate(drawn)]
    )
    np.testing.assert_array_equal(run(Shift(pixels).apply, images, drawn), expected)


def test_shifts_are_uniform_and_both_axes_independent():
    drawn = draw(Shift(2), 5000)
    assert drawn.min() == -2
    assert drawn.max() == 2
    counts = np.bincount((drawn[:, 0] + 2) * 5 + drawn[:, 1] + 2, minlength=25)
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def cropped(images, places, size: int, padding: int) -> np.ndarray:
    padded = np.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return np.stack([padded[i, top : top + size, left : left + size] for i, (top, left) in enumerate(places)])


@pytest.mark.parametrize(("size", "padding"), [(32, 4), (24, 0), (20, 3), (40, 4), (48, 31)])
def test_crop_equals_black_padding_and_slicing(run, images, size, padding):
    room = 32 + 2 * padding - size + 1
    places = np.random.default_rng(0).integers(0, room, (16, 2))
    places[:2] = [[0, room - 1], [room - 1, 0]]
    images += 1  # so that black is the padding alone
    out = run(Crop(size, padding).apply, images, ((places + 0.5) / room).astype(np.float32))
    np.testing.assert_array_equal(out, cropped(images, places, size, padding))


@pytest.mark.parametrize(("image_size", "padding"), [(32, 4), (40, 0)])
def test_all_81_places_are_reached_and_as_likely(image_size, padding):
    """Each image tells where its pixels come from; pixel (16, 16) of a window was within the image at every place."""
    crop = Crop(32, padding)
    drawn = draw(crop, 81 * 100)
    maps = np.zeros((1, image_size, image_size, 2), np.float32)
    maps[0, ..., 0], maps[0, ..., 1] = np.mgrid[:image_size, :image_size]
    from_where = crop.apply(np.repeat(maps, 8100, axis=0), drawn).numpy()[:, 16, 16].astype(int) - 16 + padding
    assert from_where.min() == 0
    assert from_where.max() == 8
    counts = np.bincount(from_where[:, 0] * 9 + from_where[:, 1], minlength=81)
    assert counts.min() > 0
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_the_last_place_is_not_passed(images):
    almost_one = np.full((16, 2), np.nextafter(np.float32(1), np.float32(0)))
    np.testing.assert_array_equal(Crop(32, 4).apply(images, almost_one), cropped(images, [[8, 8]] * 16, 32, 4))


def test_a_window_larger_than_the_padded_image_is_refused(images):
    with pytest.raises(ValueError, match="size=41: expected at most 40, the padded image's"):
        Crop(41, padding=4).apply(images, np.zeros((16, 2), np.float32))


def test_outside_of_training_a_crop_is_the_middle(images):
    np.testing.assert_array_equal(Crop(32, padding=4)(images, training=False), images)
    np.testing.assert_array_equal(Crop(24, padding=4)(images, training=False), images[:, 4:28, 4:28])
    np.testing.assert_array_equal(Crop(25, padding=0)(images, training=False), images[:, 3:28, 3:28])
    np.testing.assert_array_equal(Crop(34, padding=4)(images, training=False)[:, 1:33, 1:33], images)
    assert Crop(24)(images, training=True).shape == Crop(24).compute_output_shape(images.shape) == (16, 24, 24, 3)
