"""The named sets: the study's equals the generator that it was made with; each can be built, used and compiled."""

import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from pipeline.augment import sets
from pipeline.augment.affine import Fused
from pipeline.augment.composition import apply_all, compiled, draw_all, fused
from pipeline.augment.geometric import Rotation, Translation

from .layers import augment, views

PARITY = 0.002  # of 255; measured 0.001 at most, where float32 and float64 place a pixel differently

# Of two operations in a row one may round to whole values what the other has resampled, and a value that lies on the
# edge between two may come to either.
STEPPED, MOST_STEPPED_APART = ("rand_augment", "augmix"), 5e-4


def generated(images, degrees, shears, shares, mirrored, upside_down, brightness) -> np.ndarray:
    """What the study's generator makes of the same parameters, in its own order: matrix, channel shift, flips."""
    generator = ImageDataGenerator(
        rotation_range=90,
        shear_range=0.2,
        zoom_range=0.2,
        channel_shift_range=0.2,
        fill_mode="nearest",
        horizontal_flip=True,
        vertical_flip=True,
    )
    return np.stack(
        [
            generator.apply_transform(
                image,
                {
                    "theta": float(degrees[i]),
                    "shear": float(shears[i]),
                    "zx": float(shares[i, 0]),
                    "zy": float(shares[i, 1]),
                    "channel_shift_intensity": 255 * float(brightness[i]),
                    "flip_horizontal": bool(mirrored[i]),
                    "flip_vertical": bool(upside_down[i]),
                },
            )
            for i, image in enumerate(images)
        ]
    )


@pytest.mark.filterwarnings("ignore:Please import `affine_transform` from the `scipy.ndimage` namespace")
@pytest.mark.parametrize(("name", "max_shear"), [("original", 0.2), ("original_sheared", 11.5)])
@pytest.mark.parametrize("program", ["eager", "xla"])
@pytest.mark.usefixtures("policy")
def test_the_studys_sets_equal_its_generator(name, max_shear, program):
    count, chance = 512, np.random.default_rng(3)
    images = chance.integers(0, 256, (count, 32, 32, 3)).astype(np.float32)
    images *= np.linspace(0.3, 1.0, count, dtype=np.float32)[:, None, None, None]  # ranges to clip to
    degrees = chance.uniform(-90, 90, count).astype(np.float32)
    shears = chance.uniform(-max_shear, max_shear, count).astype(np.float32)
    shares = chance.uniform(0.8, 1.2, (count, 2)).astype(np.float32)
    mirrored, upside_down = chance.random((2, count)) < 0.5
    brightness = chance.uniform(-0.2, 0.2, count).astype(np.float32)
    brightness[::4] = 0
    degrees[::16], shears[::16], shares[::16] = 0, 0, 1  # the generator's shortcuts
    transforms = sets.build(name, 32)
    drawn = tf.nest.map_structure(tf.constant, ((degrees, shears, shares, mirrored, upside_down), brightness))
    out = (compiled(transforms) if program == "xla" else lambda x, d: apply_all(x, transforms, d))(images, drawn)
    expected = generated(images, degrees, shears, shares, mirrored, upside_down, brightness)
    assert np.abs(out.numpy() - expected).max() < PARITY
    assert np.abs(expected - images).mean() > 50


@pytest.mark.parametrize(("name", "max_shear"), [("original", 0.2), ("original_sheared", 11.5)])
def test_the_studys_draws_have_its_ranges(name, max_shear):
    transforms = sets.build(name, 32)
    (degrees, shears, shares, *flips), brightness = draw_all(transforms, 0, tf.constant(0, tf.int64), views(4000))
    for drawn, low, high in (
        (degrees, -90, 90),
        (shears, -max_shear, max_shear),
        (shares[:, 0], 0.8, 1.2),
        (shares[:, 1], 0.8, 1.2),
        (brightness, -0.2, 0.2),
    ):
        values = drawn.numpy()
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
    assert all(0.45 < flip.numpy().mean() < 0.55 for flip in flips)


@pytest.mark.parametrize("name", sets.SETS)
def test_every_named_set_can_be_built_and_keeps_shape_and_range(name, images):
    out = augment(images.astype(np.uint8), sets.build(name, 32), 0, 0)
    assert out.shape == images.shape
    assert out.dtype == np.float32
    assert out.min() >= -0.001  # bilinear weights are rounded
    assert out.max() <= 255.001
    assert (out != images).any() == (name != "none")


@pytest.mark.parametrize("name", sets.SETS)
def test_compiled_sets_equal_uncompiled_ones(name):
    images = np.random.default_rng(5).integers(0, 256, (128, 32, 32, 3)).astype(np.uint8)
    transforms = sets.build(name, 32)
    program = compiled(transforms)
    for step in range(3):
        drawn = draw_all(transforms, 0, tf.constant(step, tf.int64), views(128, pass_number=step))
        out, expected = program(images, drawn).numpy(), apply_all(images, transforms, drawn).numpy()
        assert out.dtype == np.float32
        apart = np.abs(out - expected) > 0.01
        assert apart.mean() <= (MOST_STEPPED_APART if name in STEPPED else 0)


def test_geometry_is_resampled_once():
    first, second = sets.build("original", 32)
    assert isinstance(first, Fused)
    assert [type(part).__name__ for part in first.parts] == [
        "Rotation",
        "Shear",
        "Zoom",
        "HorizontalFlip",
        "VerticalFlip",
    ]
    assert type(second).__name__ == "ChannelShift"
    coarse, _ = sets.build("original_coarse", 32)
    assert [type(part) for part in coarse.parts][:2] == [Rotation, Translation]


def test_each_build_is_a_new_one():
    assert not set(map(id, sets.build("flip_shift", 32))) & set(map(id, sets.build("flip_shift", 32)))


def test_lengths_grow_with_the_images_and_stay_at_32():
    _, crop, cutout = sets.build("flip_crop_cutout", 64)
    assert (crop.size, crop.padding, cutout.pixels) == (64, 8, 16)
    assert [repr(one) for one in sets.build("flip_crop_cutout", 32)] == [
        repr(one) for one in sets.SETS["flip_crop_cutout"]()
    ]


@pytest.mark.parametrize("name", sets.SETS)
def test_of_larger_images_a_random_window_comes_first(name):
    transforms = sets.build(name, 40, 24)
    images = np.random.default_rng(2).integers(0, 256, (16, 40, 40, 3)).astype(np.uint8)
    out = augment(images, transforms, 0, 0)
    if name == "none":  # the batches have the central window
        assert transforms == ()
        return
    assert out.shape == (16, 24, 24, 3)
    crop, *rest = transforms
    assert repr(crop) == "Crop(size=24, padding=0)"
    expected = [repr(one) for one in sets.build(name, 24)]
    assert [repr(one) for one in rest] == [one for one in expected if not one.startswith(("Shift", "Crop"))]


@pytest.mark.parametrize("name", sets.SETS)
def test_a_window_of_the_images_own_size_changes_no_set(name):
    assert [repr(one) for one in sets.build(name, 32, 32)] == [repr(one) for one in fused(sets.SETS[name]())]
