"""Every corruption: shape, determinism, growth with the severity, and simple ones by independent computation."""

import colorsys
import io

import numpy as np
import PIL.Image
import pytest

from benchmarks.robustness import blur, digital, filters, noise, weather
from benchmarks.robustness.corruptions import CORRUPTIONS, EXTRA, SEVERITIES, STANDARD, corrupt
from pipeline.datasets.resizing import resize
from pipeline.datasets.shapes100.builder import draw_chunk

# Of these the authors' constants move pixels less at some higher severity, and blur, displace or tint them more.
NOT_BY_DISTANCE = {"glass_blur", "motion_blur", "frost", "elastic_transform", "spatter", "saturate"}
NO_DRAWS = {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"} | {
    *("gaussian_blur", "saturate")
}


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return draw_chunk("test", 0)[1][:40]


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def distances(images, name) -> list[float]:
    corrupted = [[corrupt(image, name, severity, 0, k) for k, image in enumerate(images)] for severity in SEVERITIES]
    return [float(np.mean(np.abs(np.stack(one).astype(float) - images))) for one in corrupted]


def test_names_are_those_of_the_paper():
    assert (len(STANDARD), len(EXTRA), len(CORRUPTIONS)) == (15, 4, 19)
    assert set(EXTRA) == {"speckle_noise", "gaussian_blur", "spatter", "saturate"}


@pytest.mark.parametrize("size", [8, 32, 45])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_severity_gives_an_image_and_changes_no_input(images, name, size):
    image = resize(images[0], size)
    before = image.copy()
    image.flags.writeable = False
    for severity in SEVERITIES:
        corrupted = corrupt(image, name, severity, 0, 0)
        assert (corrupted.shape, corrupted.dtype) == ((size, size, 3), np.uint8)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_of_one_value_are_corrupted_without_a_warning(name, value):
    for severity in SEVERITIES:
        assert corrupt(np.full((32, 32, 3), value, np.uint8), name, severity, 0, 0).shape == (32, 32, 3)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_draws_follow_from_seed_and_place(images, name):
    first = corrupt(images[0], name, 3, 0, 5)
    assert np.array_equal(first, corrupt(images[0], name, 3, 0, 5))
    others = [corrupt(images[0], name, 3, 0, 6), corrupt(images[0], name, 3, 1, 5)]
    assert [np.array_equal(first, other) for other in others] == [name in NO_DRAWS] * 2


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - NOT_BY_DISTANCE))
def test_severity_grows_the_distance_from_the_image(images, name):
    found = distances(images, name)
    assert found == sorted(found)
    assert found[0] > 0.2
    assert found[-1] > 1.2 * found[0]


@pytest.mark.parametrize("name", sorted(NOT_BY_DISTANCE))
def test_other_corruptions_change_the_image(images, name):
    assert min(distances(images, name)) > 0.8


@pytest.mark.parametrize(
    "name", ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "elastic_transform"]
)
def test_mean_stays(images, name):
    middle = (images // 4 + 96).astype(np.uint8)  # nothing is clipped
    corrupted = np.stack([corrupt(image, name, 5, 0, k) for k, image in enumerate(middle)])
    assert corrupted.mean() - middle.mean() == pytest.approx(-0.5, abs=1.0)  # fractions are cut off


@pytest.mark.parametrize(("severity", "deviation"), [(1, 0.04), (3, 0.08), (5, 0.10)])
def test_gaussian_noise_has_the_deviation_of_the_paper(severity, deviation):
    flat = np.full((128, 128, 3), 128, np.uint8)
    assert noise.gaussian_noise(flat, severity, generator()).std() == pytest.approx(255 * deviation, rel=0.02)


@pytest.mark.parametrize("value", [60, 120])
def test_shot_and_speckle_noise_depend_on_the_value(value):
    flat = np.full((128, 128, 3), value, np.uint8)
    shot = noise.shot_noise(flat, 2, generator())
    assert shot.var() == pytest.approx(255 * value / 250, rel=0.05)  # of Poisson counts of mean 250 x value / 255
    speckle = noise.speckle_noise(flat, 4, generator())
    assert speckle.std() == pytest.approx(0.16 * value, rel=0.05)


def test_impulses_are_black_and_white_in_equal_numbers():
    noisy = noise.impulse_noise(np.full((128, 128, 3), 100, np.uint8), 5, generator())
    assert np.mean(noisy != 100) == pytest.approx(0.07, rel=0.05)
    assert np.mean(noisy == 0) == pytest.approx(np.mean(noisy == 255), rel=0.1)


@pytest.mark.parametrize(
    ("corruption", "channel", "factor", "added"),
    [(weather.brightness, 2, 1.0, 0.2), (digital.saturate, 1, 2.0, 0.1)],
)
def test_brightness_and_saturation_change_one_channel_of_hsv(images, corruption, channel, factor, added):
    corrupted = corruption(images[1], 4, generator())
    for place in ((0, 0), (7, 20), (16, 16), (31, 3)):
        hsv = list(colorsys.rgb_to_hsv(*(images[1][place] / 255)))
        hsv[channel] = min(max(factor * hsv[channel] + added, 0.0), 1.0)
        assert corrupted[place] == pytest.approx([255 * value for value in colorsys.hsv_to_rgb(*hsv)], abs=1.001)


def test_contrast_shrinks_the_distances_from_the_mean_of_a_channel(images):
    mean = images[2].reshape(-1, 3).mean(axis=0)
    expected = mean + 0.4 * (images[2] - mean)
    cut_off = expected - digital.contrast(images[2], 3, generator())
    assert (cut_off.min() > -1e-9, cut_off.max() < 1 + 1e-9) == (True, True)


def test_pixelated_images_have_as_few_pixels_at_every_size():
    columns = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    pixelated = digital.pixelate(columns, 5, generator())  # 20 pixels each way, whatever the size
    assert len(np.unique(pixelated)) == int(32 * 0.65)
    assert np.all(np.diff(pixelated[0, :, 0].astype(int)) >= 0)
    assert pixelated.mean() == pytest.approx(columns.mean(), abs=0.6)


@pytest.mark.parametrize(("severity", "quality"), [(1, 80), (5, 40)])
def test_jpeg_has_the_quality_of_the_paper(images, severity, quality):
    file = io.BytesIO()
    PIL.Image.fromarray(images[3]).save(file, "JPEG", quality=quality)
    expected = np.asarray(PIL.Image.open(file).convert("RGB"))
    assert np.array_equal(digital.jpeg_compression(images[3], severity, generator()), expected)


def test_glass_takes_each_pixel_from_the_neighbours_above_and_to_the_left():
    places = np.arange(32 * 32, dtype=np.int64).reshape(32, 32)
    image = np.stack([places // 32, places % 32, np.zeros_like(places)], axis=-1).astype(np.uint8)
    moved = blur.glass_blur(image, 1, generator()).astype(int) - image  # a blur of 0.05 pixels changes nothing
    assert set(np.unique(moved[2:, 2:, :2])) <= {-2, -1, 0}  # the last level may be cut off, twice
    assert -1 in moved[2:, 2:, 0]
    assert np.abs(moved[0]).max() <= 2


def test_defocus_of_a_point_is_a_disk():
    point = np.zeros((33, 33, 3), np.uint8)
    point[16, 16] = 255
    disk = blur.defocus_blur(point, 5, generator())[..., 0]
    expected = np.zeros((33, 33), bool)
    expected[15:18, 15:18] = True
    assert np.array_equal(disk > 20, expected)
    assert disk.sum() == pytest.approx(255, abs=20)


def test_motion_is_half_a_gaussian_along_a_line():
    point = np.zeros((21, 21))
    point[10, 10] = 1.0
    blurred = filters.motion_blur(point, 3, 1.5, 0.0)
    weights = np.exp(-(np.arange(7) ** 2) / 4.5)
    assert blurred[10, 10:3:-1] == pytest.approx(weights / weights.sum())
    assert blurred.sum() == pytest.approx(1.0)
    downwards = filters.motion_blur(point, 3, 1.5, -90.0)
    assert downwards[10:17, 10] == pytest.approx(weights / weights.sum())


@pytest.mark.parametrize("value", [1, 100, 200, 254])
def test_motion_keeps_a_constant(value):
    flat = np.full((32, 32, 3), value, np.uint8)
    for severity in SEVERITIES:
        assert np.array_equal(blur.motion_blur(flat, severity, generator()), flat)


def test_layer_of_snow_is_rounded_once_blurred(monkeypatch):
    monkeypatch.setattr(filters, "motion_blur", lambda layer, *_: np.full_like(layer, 30.55 / 255))
    snowy = weather.snow(np.full((32, 32, 3), 100, np.uint8), 1, generator())
    pale = 1.5 * 100 + 127.5
    assert np.unique(snowy).tolist() == [int(0.95 * 100 + 0.05 * pale + 2 * 31)]


def test_zoom_blur_is_the_mean_of_zoomed_images(images):
    values = filters.unit(images[4])
    magnified = [filters.zoomed(values, 1 + step / 100) for step in range(16)]
    expected = np.clip((values + sum(magnified)) / 17, 0, 1) * 255
    assert np.abs(blur.zoom_blur(images[4], 3, generator()) - expected + 0.5).max() <= 0.51


def test_magnified_centre_has_the_size_of_the_image():
    gradient = np.tile(np.arange(32.0), (32, 1))
    magnified = filters.zoomed(gradient, 2.0)
    assert magnified.shape == (32, 32)
    assert magnified[0, -1] - magnified[0, 0] == pytest.approx(15.0)  # half of the columns


def test_fog_keeps_the_greatest_value_and_lightens_shadows(images):
    for image in images[:5]:
        foggy = weather.fog(image, 5, generator())
        assert foggy.max() <= image.max()
    dark = np.zeros((32, 32, 3), np.uint8)
    dark[0, 0] = 200
    assert weather.fog(dark, 3, generator()).mean() > 20


def test_frost_has_the_color_of_a_photograph():
    ice = [weather.frost(np.zeros((32, 32, 3), np.uint8), 3, np.random.default_rng(k)) for k in range(20)]
    means = np.array([one.mean((0, 1)) for one in ice]) / 0.4
    nearest = np.abs(means[:, None] - weather.FROST_COLORS).max(-1).min(-1)
    assert nearest.max() < 6
    assert len(np.unique(np.round(means[:, 0], -1))) == 4  # two of the five are alike


def test_same_corruption_of_a_larger_image_looks_alike(images):
    for name in ("gaussian_blur", "defocus_blur", "motion_blur", "zoom_blur", "pixelate", "fog", "frost"):
        large = resize(images[6], 128)
        small = distances([images[6]], name)[-1]
        assert 0.4 < distances([large], name)[-1] / small < 2.5, name
