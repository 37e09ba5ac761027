"""Geometry: each transform against SciPy's resampling, whole pixels exactly, and the fusing of several into one."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf

from pipeline.augment.affine import FILLS, AffineTransform, Fused, warp
from pipeline.augment.composition import fused
from pipeline.augment.geometric import HorizontalFlip, Rotation, Shear, Translation, VerticalFlip, Zoom
from pipeline.augment.windows import Shift

from .layers import draw

SCIPY_MODES = {"nearest": "nearest", "reflect": "mirror", "constant": "grid-constant"}
TOLERANCE = 0.002  # of 255: float32 coordinates against SciPy's float64; measured 0.0008 at most


def resampled(images, matrices, offsets, fill: str) -> np.ndarray:
    """SciPy's: matrices [B, 2, 2] and offsets [B, 2] in (row, column) about the centre."""
    result = np.empty_like(images, np.float64)
    centre = (np.array(images.shape[1:3]) - 1) / 2
    for i, (image, matrix, offset) in enumerate(zip(images, matrices, offsets, strict=True)):
        for channel in range(image.shape[-1]):
            result[i, ..., channel] = scipy.ndimage.affine_transform(
                image[..., channel].astype(np.float64),
                matrix,
                centre + offset - matrix @ centre,
                order=1,
                mode=SCIPY_MODES[fill],
                cval=77.0,
            )
    return result


def rotations(degrees):
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.stack([[cos, sin], [-sin, cos]]).transpose(2, 0, 1), np.zeros((len(degrees), 2))


def shears(degrees):
    radians = np.deg2rad(degrees)
    one, zero = np.ones_like(radians), np.zeros_like(radians)
    return np.stack([[np.cos(radians), zero], [-np.sin(radians), one]]).transpose(2, 0, 1), np.zeros((len(degrees), 2))


def zooms(shares):
    return np.stack([np.diag(share[::-1]) for share in shares]), np.zeros_like(shares)


def translations(fractions):
    return np.broadcast_to(np.eye(2), (len(fractions), 2, 2)), -fractions[:, ::-1] * 32.0


CASES = {
    "rotation": (lambda **fill: Rotation(180.0, **fill), rotations),
    "shear": (lambda **fill: Shear(60.0, **fill), shears),
    "zoom": (lambda **fill: Zoom(0.9, **fill), zooms),
    "translation": (lambda **fill: Translation(1.0, **fill), translations),
}


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("case", CASES)
def test_each_transform_equals_scipys(case, fill):
    images = np.random.default_rng(1).integers(0, 256, (96, 32, 32, 3)).astype(np.float32)
    make, reference = CASES[case]
    layer = make(fill=fill, fill_value=77.0)
    drawn = draw(layer, len(images))
    expected = resampled(images, *reference(drawn.astype(np.float64)), fill)
    assert np.abs(layer.apply(images, drawn).numpy() - expected).max() < TOLERANCE
    assert np.abs(expected - images).max() > 100


@pytest.mark.parametrize("fill", FILLS)
def test_warp_is_the_same_in_every_way_of_use(run, images, fill):
    angles = np.linspace(-180.0, 180.0, 16, dtype=np.float32)
    out = run(Rotation(fill=fill, fill_value=77.0).apply, images, angles).numpy()
    assert np.abs(out - resampled(images, *rotations(angles.astype(np.float64)), fill)).max() < TOLERANCE


def test_images_need_not_be_square():
    images = np.random.default_rng(1).integers(0, 256, (8, 20, 33, 1)).astype(np.float32)
    angles = np.linspace(-90.0, 90.0, 8, dtype=np.float32)
    expected = resampled(images, *rotations(angles.astype(np.float64)), "nearest")
    assert np.abs(Rotation().apply(images, angles).numpy() - expected).max() < TOLERANCE
    moved = Translation().apply(images, np.tile(np.float32([[1 / 33, 2 / 20]]), (8, 1))).numpy()
    np.testing.assert_allclose(moved[:, 2:, 1:], images[:, :-2, :-1], atol=0.001)


@pytest.mark.parametrize("quarters", [-2, -1, 0, 1, 2])
def test_quarter_turns_are_anticlockwise_and_exact_but_for_rounding(run, images, quarters):
    """cos(90 degrees) is -4e-8 in float32, which moves pixels by a millionth: measured 0.0007 of 255 at most."""
    out = run(Rotation(180.0).apply, images, np.full(16, 90.0 * quarters, np.float32))
    np.testing.assert_allclose(out, np.rot90(images, quarters, axes=(1, 2)), atol=1e-3)


@pytest.mark.parametrize("fill", FILLS)
def test_whole_pixel_translations_are_exact(run, images, fill):
    moves = np.array([[right, down] for right in (-5, 0, 1, 31) for down in (-31, -1, 0, 7)], np.float32)
    padding = {"nearest": {"mode": "edge"}, "reflect": {"mode": "reflect"}, "constant": {"constant_values": 77.0}}[fill]
    padded = np.pad(images, ((0, 0), (31, 31), (31, 31), (0, 0)), **padding)
    expected = np.stack(
        [padded[i, 31 - down : 63 - down, 31 - right : 63 - right] for i, (right, down) in enumerate(moves.astype(int))]
    )
    out = run(Translation(1.0, fill=fill, fill_value=77.0).apply, images, moves / 32)
    np.testing.assert_array_equal(out, expected)


def test_half_a_pixel_is_the_mean_of_two(images):
    out = Translation().apply(images, np.tile(np.float32([[0.5 / 32, 0.0]]), (16, 1))).numpy()
    np.testing.assert_array_equal(out[:, :, 1:], (images[:, :, :-1] + images[:, :, 1:]) / 2)


def test_a_zoom_below_one_magnifies(images):
    out = Zoom().apply(images, np.full((16, 2), 15 / 31, np.float32))  # the middle 16 pixels fill the image
    np.testing.assert_allclose(out[:, ::31, ::31], images[:, 8:24:15, 8:24:15], atol=1e-3)


def test_the_identity_changes_nothing(images):
    np.testing.assert_array_equal(warp(images, tf.eye(3, batch_shape=[16])), images)


def test_draws_cover_their_range():
    for layer, low, high in (
        (Rotation(90.0), -90.0, 90.0),
        (Shear(0.2), -0.2, 0.2),
        (Zoom(0.2), 0.8, 1.2),
        (Translation(0.125), -0.125, 0.125),
    ):
        drawn = np.atleast_2d(draw(layer, 4000).T)
        shares = (drawn - low) / (high - low)
        assert shares.min() >= 0
        assert shares.max() <= 1
        assert all(scipy.stats.kstest(of, "uniform").pvalue > 0.001 for of in shares)
        if len(drawn) == 2:
            assert abs(np.corrcoef(drawn)[0, 1]) < 0.06


def test_an_unknown_fill_is_refused():
    with pytest.raises(ValueError, match="fill='wrap': expected one of nearest, reflect, constant"):
        Rotation(fill="wrap")


# Fusing.


def test_neighbours_that_fill_alike_fuse():
    parts = (Rotation(), HorizontalFlip(), Zoom())
    shift = Shift()
    first, second, third = fused((*parts, shift, Shear()))
    assert isinstance(first, Fused)
    assert first.parts == parts
    assert second is shift
    assert isinstance(third, Shear)


@pytest.mark.parametrize(
    "transforms",
    [
        (),
        (Rotation(),),
        (HorizontalFlip(), VerticalFlip()),
        (Shift(), HorizontalFlip(), Shift()),
        (Rotation(fill="reflect"), Zoom(fill="nearest")),
        (Rotation(fill="constant", fill_value=0.0), Zoom(fill="constant", fill_value=1.0)),
        (Shift(),) * 2,
    ],
    ids=["none", "one", "flips", "apart", "fills", "fill_values", "the_same_twice"],
)
def test_others_stay_as_they_are(transforms):
    assert fused(transforms) == transforms


def test_flips_fuse_with_any_fill_since_they_reach_nothing_outside(images):
    parts = (HorizontalFlip(), Rotation(90.0, fill="reflect"), VerticalFlip(), Zoom(fill="reflect"))
    (whole,) = fused(parts)
    assert whole.parts == parts
    assert whole.fill == "reflect"
    drawn = draw(whole, len(images))
    both = fused((parts[1], parts[3]))[0]
    for place in (0, 2):
        drawn[place][:] = False
    expected = both.apply(images, (drawn[1], drawn[3]))
    np.testing.assert_allclose(whole.apply(images, drawn), expected, atol=1e-3)


def test_flips_alone_stay_exact(images):
    flip = fused((HorizontalFlip(), VerticalFlip()))
    out = flip[1].apply(flip[0].apply(images, np.ones(16, bool)), np.ones(16, bool))
    np.testing.assert_array_equal(out, images[:, ::-1, ::-1])


@pytest.mark.parametrize(
    "parts",
    [
        (Rotation(fill="reflect"), Zoom()),
        (Rotation(fill="constant"), Rotation(fill="constant", fill_value=2.0)),
    ],
)
def test_unlike_fills_cannot_be_fused(parts):
    with pytest.raises(ValueError, match="same fill"):
        Fused(parts)


@pytest.mark.parametrize("fill", FILLS)
def test_fused_is_one_warp_by_the_product_of_the_matrices(run, images, fill):
    how = {"fill": fill, "fill_value": 77.0}
    parts = (Translation(**how), Rotation(180.0, **how), VerticalFlip(**how), Shear(40.0, **how), Zoom(0.5, **how))
    layer = Fused(parts)
    drawn = draw(layer, 16)
    product = np.eye(3)
    for part, of in zip(parts, drawn, strict=True):
        product = product @ part.matrices(of, 32, 32).numpy().astype(np.float64)
    np.testing.assert_allclose(layer.matrices(drawn, 32, 32), product, atol=1e-5)
    expected = resampled(images, product[:, :2, :2][:, ::-1, ::-1], product[:, 1::-1, 2], fill)
    assert np.abs(run(layer.apply, images, drawn).numpy() - expected).max() < TOLERANCE
    assert (layer.fill, layer.fill_value) == (fill, 77.0)


def test_fused_applies_its_parts_in_order(images):
    """Whole pixels and flips, where resampling once or twice comes to the same."""
    move, flip = Translation(), HorizontalFlip()
    moves, flips = np.tile(np.float32([[3 / 32, -2 / 32]]), (16, 1)), np.ones(16, bool)
    expected = flip.apply(move.apply(images, moves), flips).numpy()
    np.testing.assert_array_equal(Fused((move, flip)).apply(images, (moves, flips)), expected)
    other = Fused((flip, move)).apply(images, (flips, moves)).numpy()
    np.testing.assert_array_equal(other, move.apply(flip.apply(images, flips), moves))
    assert (other != expected).any()


def test_resampling_once_is_sharper_than_twice(images):
    there, back = np.full(16, 30.0, np.float32), np.full(16, -30.0, np.float32)
    turn = Rotation(90.0)
    once = Fused((turn, turn)).apply(images, (there, back)).numpy()
    twice = turn.apply(turn.apply(images, there), back).numpy()
    np.testing.assert_allclose(once, images, atol=0.01)
    assert np.abs(twice - images).mean() > 10


def test_alike_parts_draw_apart():
    first, second = draw(Fused((Rotation(), Rotation())), 64)
    assert (first != second).all()


def test_every_affine_transform_is_its_matrix(images):
    """What `fused` counts on: to apply a transform alone is to warp by its matrices."""
    for layer in (HorizontalFlip(), VerticalFlip(), Rotation(), Shear(), Zoom(), Translation()):
        assert isinstance(layer, AffineTransform)
        drawn = draw(layer, 16)
        np.testing.assert_array_equal(layer.apply(images, drawn), warp(images, layer.matrices(drawn, 32, 32)))
