"""Brightness and colour against Pillow, which rounds, and against the formulas in NumPy, which do not."""

import colorsys

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from pipeline.augment import operations

# Each way of use, eagerly under every policy: which dtypes a program has is decided when it is traced.
WAYS = [("float32", "eager"), ("mixed_bfloat16", "eager"), ("mixed_float16", "eager")]
WAYS += [("mixed_bfloat16", "graph"), ("mixed_float16", "tf_data"), ("float32", "xla"), ("mixed_float16", "xla")]
pytestmark = [pytest.mark.usefixtures("policy"), pytest.mark.parametrize(("policy", "run"), WAYS, indirect=True)]

LUMA = np.array([0.299, 0.587, 0.114])
FACTORS = np.array([0.01, 0.6, 1.0, 1.0, 1.4, 1.99, 0.3, 0.0], np.float32)


@pytest.fixture
def images() -> np.ndarray:
    """Whole values: noise, a dark and a narrow range, flat channels, few values, and a smooth picture."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3))
    noise[1] //= 5
    noise[2] = 100 + noise[2] // 16
    noise[3, ..., 0], noise[3, ..., 1] = 0, 200
    noise[4] = noise[4] // 128 * 90
    noise[5] = np.add.outer(np.arange(32) * 3, np.arange(32) * 4)[..., None] + [0, 10, 30]
    noise[6, 5:] = 255  # so few pixels below the top that equalizing has no step
    return noise.astype(np.float32)


def through_pillow(images: np.ndarray, function) -> np.ndarray:
    pictures = map(Image.fromarray, images.astype(np.uint8))
    return np.stack([np.asarray(function(i, picture), np.float32) for i, picture in enumerate(pictures)])


def blended(images, degenerate, factors=FACTORS) -> np.ndarray:
    factors = factors.astype(np.float64)[:, None, None, None]
    return np.clip(factors * images + (1 - factors) * degenerate, 0, 255)


def luma(images) -> np.ndarray:
    return (images.astype(np.float64) * LUMA).sum(-1, keepdims=True)


def smoothed(images) -> np.ndarray:
    padded = np.pad(images.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    around = sum(padded[:, y : y + 32, x : x + 32] for y in range(3) for x in range(3))
    result = (around + 4 * images) / 13
    inner = np.zeros((32, 32, 1), bool)
    inner[1:-1, 1:-1] = True
    return np.where(inner, result, images)


ENHANCEMENTS = {
    "brightness": (ImageEnhance.Brightness, lambda images: 0.0),
    "contrast": (ImageEnhance.Contrast, lambda images: luma(images).mean((1, 2, 3), keepdims=True)),
    "color": (ImageEnhance.Color, luma),
    "sharpness": (ImageEnhance.Sharpness, smoothed),
}


@pytest.mark.parametrize("name", ENHANCEMENTS)
def test_enhancements_are_pillows_and_exact(run, images, name):
    enhancement, degenerate = ENHANCEMENTS[name]
    changed = run(getattr(operations, name), images, FACTORS).numpy()
    # Exactly, but for float32.
    np.testing.assert_allclose(changed, blended(images, degenerate(images)), atol=1e-3)
    np.testing.assert_array_equal(changed[2:4], images[2:4])  # factor 1
    # Pillow cuts off the result's fraction, up to 1, and rounds the degenerate image before, up to 1/2 on each of the
    # way to grey and that to its mean.
    pillow = through_pillow(images, lambda i, picture: enhancement(picture).enhance(float(FACTORS[i])))
    assert np.abs(changed - pillow).max() <= (1.001 if name == "brightness" else 2.0)
    assert np.abs(changed - pillow).mean() < 0.6


def test_grayscale(run, images):
    grey = run(operations.grayscale, images).numpy()
    np.testing.assert_allclose(grey, np.repeat(luma(images), 3, -1), atol=1e-3)
    pillow = through_pillow(images, lambda i, picture: picture.convert("L").convert("RGB"))
    assert np.abs(grey - pillow).max() <= 0.501


def test_hue_turns_as_in_hsv(run, images):
    turns = np.array([-0.5, -0.1, 0.0, 0.02, 0.25, 0.5, 1.0, 1 / 3], np.float32)
    turned = run(operations.hue, images, turns).numpy()

    def expected(pixel, turn):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((hue + turn) % 1.0, saturation, value)

    for image, result, turn in zip(images, turned, turns.astype(np.float64), strict=True):
        pixels = image.reshape(-1, 3).astype(np.float64)
        np.testing.assert_allclose(
            result.reshape(-1, 3), [expected(pixel / 255, turn) for pixel in pixels] * np.array(255), atol=2e-3
        )


def test_posterize_is_pillows_exactly(run, images):
    bits = np.arange(1, 9, dtype=np.int32)
    pillow = through_pillow(images, lambda i, picture: ImageOps.posterize(picture, int(bits[i])))
    np.testing.assert_array_equal(run(operations.posterize, images, bits), pillow)
    # Values between whole ones count as the nearest.
    np.testing.assert_array_equal(run(operations.posterize, images - 0.25, bits), pillow)


def test_solarize_is_pillows_exactly(run, images):
    thresholds = np.array([0, 1, 8, 100, 128, 200, 255, 256], np.float32)
    pillow = through_pillow(images, lambda i, picture: ImageOps.solarize(picture, int(thresholds[i])))
    np.testing.assert_array_equal(run(operations.solarize, images, thresholds), pillow)


def test_autocontrast_is_pillows_and_exact(run, images):
    stretched = run(operations.autocontrast, images).numpy()
    darkest, brightest = images.min((1, 2), keepdims=True), images.max((1, 2), keepdims=True)
    flat = brightest == darkest
    expected = np.where(flat, images, (images - darkest) * 255.0 / np.where(flat, 1, brightest - darkest))
    np.testing.assert_allclose(stretched, expected, atol=1e-3)
    pillow = through_pillow(images, lambda i, picture: ImageOps.autocontrast(picture))
    assert np.abs(stretched - pillow).max() <= 1.001  # Pillow cuts off the fraction


@pytest.mark.parametrize("chosen", [[True] * 8, [False] * 8, [False, True] * 4])
def test_equalize_is_pillows_exactly_where_chosen(run, images, chosen):
    pillow = through_pillow(images, lambda i, picture: ImageOps.equalize(picture))
    expected = np.where(np.array(chosen)[:, None, None, None], pillow, images)
    np.testing.assert_array_equal(run(operations.equalize, images, np.array(chosen)), expected)


def test_equalize_takes_a_batch_by_parts(run, images):
    many = np.concatenate([np.roll(images, shift, axis=3) for shift in range(3)] * 4)  # 96
    for chosen in (np.arange(96) % 3 > 0, np.arange(96) >= 32, np.arange(96) >= 0):  # 64 and 64, whole parts, and 96
        chosen[5] = False
        pillow = through_pillow(many, lambda i, picture: ImageOps.equalize(picture))
        expected = np.where(chosen[:, None, None, None], pillow, many)
        np.testing.assert_array_equal(run(operations.equalize, many, chosen), expected)
