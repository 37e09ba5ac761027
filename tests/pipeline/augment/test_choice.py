"""Each image its own operation: against SciPy's warp, and against the operations alone."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from pipeline.augment import operations
from pipeline.augment.choice import Choice, Operation, apply_operation, describe


@pytest.fixture
def images() -> np.ndarray:
    """Whole values, neighbours alike as in a picture, neither black nor white."""
    noise = np.random.default_rng(0).uniform(-30, 285, (28, 32, 32, 3))
    smooth = scipy.ndimage.gaussian_filter(noise, [0, 1, 1, 0]) * 2 - 128
    return np.clip(smooth, 20, 220).round().astype(np.float32)


def chosen(operation: Operation, *magnitudes: float) -> Choice:
    return Choice(tf.fill([len(magnitudes)], int(operation)), tf.constant(magnitudes, tf.float32))


# From (row, column, 1) of the result to (row, column) of the image; a pixel's centre lies half a pixel from its corner.
def _sheared_x(amount):
    return [[1, 0, 0], [amount, 1, amount / 2]]


def _sheared_y(amount):
    return [[1, amount, amount / 2], [0, 1, 0]]


def _turned(degrees):
    cos, sin, centre = np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 15.5
    return [[cos, sin, centre * (1 - cos - sin)], [-sin, cos, centre * (1 - cos + sin)]]


GEOMETRIC = {
    Operation.SHEAR_X: ((-0.99, 0.3, 0.0, 0.66), _sheared_x),
    Operation.SHEAR_Y: ((-0.99, 0.3, 0.0, 0.66), _sheared_y),
    Operation.TRANSLATE_X: ((-32.0, 3.0, 0.0, 17.0), lambda pixels: [[1, 0, 0], [0, 1, -pixels]]),
    Operation.TRANSLATE_Y: ((-32.0, 3.0, 0.0, 17.0), lambda pixels: [[1, 0, -pixels], [0, 1, 0]]),
    Operation.ROTATE: ((-135.0, 30.0, 0.0, 90.0), _turned),
}


@pytest.mark.parametrize("fill_value", [0.0, 128.0])
@pytest.mark.parametrize("operation", GEOMETRIC)
def test_geometry_is_scipys(images, operation, fill_value):
    magnitudes, matrix = GEOMETRIC[operation]
    moved = apply_operation(tf.constant(images[:4]), chosen(operation, *magnitudes), fill_value).numpy()
    for image, result, magnitude in zip(images, moved, magnitudes, strict=False):
        homogeneous = np.array([*matrix(magnitude), [0, 0, 1]], np.float64)
        expected = np.stack(
            [
                scipy.ndimage.affine_transform(channel, homogeneous, order=1, mode="grid-constant", cval=fill_value)
                for channel in np.moveaxis(image.astype(np.float64), -1, 0)
            ],
            axis=-1,
        )
        # float32 places a pixel within 1e-5 of where it should be, and neighbours differ by up to 255.
        np.testing.assert_allclose(result, expected, atol=5e-3)
        if magnitude == 0.0:
            np.testing.assert_array_equal(result, image)


PHOTOMETRIC = {
    Operation.IDENTITY: (0.0, lambda images, magnitude: images),
    Operation.BRIGHTNESS: (0.4, operations.brightness),
    Operation.COLOR: (1.7, operations.color),
    Operation.CONTRAST: (0.4, operations.contrast),
    Operation.SHARPNESS: (1.9, operations.sharpness),
    Operation.POSTERIZE: (3.0, lambda images, bits: operations.posterize(images, tf.cast(bits, tf.int32))),
    Operation.SOLARIZE: (100.0, operations.solarize),
    Operation.AUTO_CONTRAST: (0.0, lambda images, magnitude: operations.autocontrast(images)),
    Operation.EQUALIZE: (0.0, lambda images, magnitude: operations.equalize(images, magnitude == 0.0)),
}


@pytest.mark.parametrize("operation", PHOTOMETRIC)
def test_other_operations_are_those_alone_and_leave_the_rest_of_the_batch(images, operation):
    magnitude, alone = PHOTOMETRIC[operation]
    expected = alone(tf.constant(images), tf.fill([28], magnitude)).numpy()
    assert operation == Operation.IDENTITY or (np.abs(expected - images).max((1, 2, 3)) > 5).all()
    own = np.arange(28) % 3 == 0
    choice = Choice(
        tf.constant(np.where(own, operation, Operation.IDENTITY), tf.int32),
        tf.constant(np.where(own, magnitude, 0.0), tf.float32),
    )
    changed = apply_operation(tf.constant(images), choice).numpy()
    np.testing.assert_array_equal(changed[~own], images[~own])
    np.testing.assert_allclose(changed[own], expected[own], atol=1e-3)


def test_a_batch_of_every_operation_is_the_images_one_by_one(images):
    choice = Choice(tf.range(28) % 14, tf.constant([2.0] * 28))
    together = apply_operation(tf.constant(images), choice).numpy()
    for i in range(28):
        single = apply_operation(tf.constant(images[i : i + 1]), Choice(*(values[i : i + 1] for values in choice)))
        np.testing.assert_allclose(together[i : i + 1], single, atol=1e-3)


@pytest.mark.parametrize(
    ("operation", "magnitude", "words"),
    [
        (Operation.IDENTITY, 0.0, "Identity"),
        (Operation.SHEAR_X, 0.33, "ShearX +0.33"),
        (Operation.TRANSLATE_Y, -12.0, "TranslateY -12 px"),
        (Operation.ROTATE, 87.1, "Rotate +87°"),
        (Operation.BRIGHTNESS, 1.345, "Brightness 1.34"),
        (Operation.POSTERIZE, 4.0, "Posterize 4 bits"),
        (Operation.SOLARIZE, 127.5, "Solarize from 128"),
        (Operation.AUTO_CONTRAST, 0.0, "AutoContrast"),
    ],
)
def test_a_choice_in_words(operation, magnitude, words):
    assert describe(int(operation), magnitude) == words
