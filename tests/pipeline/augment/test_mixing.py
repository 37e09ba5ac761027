"""Mixup and cutmix: pixels against NumPy, labels that sum to 1 and weigh what the pixels do, and how chance decides."""

import functools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from pipeline.augment.color import ChannelShift
from pipeline.augment.composition import draw_all, mix_labels, mixes_labels
from pipeline.augment.geometric import HorizontalFlip
from pipeline.augment.mixing import Blend, CutMix, MixUp, MixUpOrCutMix

from .layers import draw, remade, views

MIXERS = [MixUp(0.2), CutMix(1.0), MixUpOrCutMix(0.2, 1.0)]
COARSE_OF = np.arange(100) // 5


def blends(num_images: int, is_box: bool, seed: int = 0) -> Blend:
    """Injected ones, with some that keep all and some that keep nothing."""
    chance = np.random.default_rng(seed)
    share = chance.random(num_images).astype(np.float32)
    share[:2] = 1.0, 0.0
    centre = chance.random((num_images, 2)).astype(np.float32)
    centre[2:4] = [[0.0, 0.999], [0.5, 0.0]]
    partner = chance.permutation(num_images).astype(np.int32)
    return Blend(partner, share, centre, np.full(num_images, is_box))


def ends(centre: float, share: float) -> slice:
    """Of a box along one axis of 32 pixels, cut off at the border; in float32, as its ends are rounded down."""
    half = np.float32(0.5) * np.sqrt(np.float32(1) - share)
    low, high = np.floor((centre - half) * np.float32(32)), np.floor((centre + half) * np.float32(32))
    return slice(max(int(low), 0), max(int(high), 0))


def pasted(images, drawn: Blend) -> np.ndarray:
    result = images.copy()
    for i, (partner, share, (row, column), _) in enumerate(zip(*drawn, strict=True)):
        box = ends(row, share), ends(column, share)
        result[i][box] = images[partner][box]
    return result


def mixed_by(layer):
    return lambda targets, drawn: layer.mix_labels(targets, drawn, 32, 32)


def test_mixup_equals_numpys(run, images):
    drawn = blends(16, is_box=False)
    share = drawn.share[:, None, None, None].astype(np.float64)
    expected = share * images + (1 - share) * images[drawn.partner]
    np.testing.assert_allclose(run(MixUp().apply, images, drawn), expected, atol=1e-4)


def test_cutmix_equals_numpys(run, images):
    drawn = blends(16, is_box=True)
    np.testing.assert_array_equal(run(CutMix().apply, images, drawn), pasted(images, drawn))


def test_labels_weigh_what_pixels_do(run):
    """Images of one value each, so that a pixel tells whose it is: image i's are i."""
    images = np.broadcast_to(np.arange(64, dtype=np.float32)[:, None, None, None], (64, 32, 32, 3))
    drawn = blends(64, is_box=True)
    drawn.partner[:] = np.roll(np.arange(64), 1)
    out = CutMix().apply(tf.constant(images), tf.nest.map_structure(tf.constant, drawn)).numpy()[..., 0].astype(int)
    targets = run(mixed_by(CutMix()), np.eye(64, dtype=np.float32), drawn)
    shares = np.stack([np.bincount(pixels.ravel(), minlength=64) / 1024 for pixels in out])
    np.testing.assert_array_equal(targets, shares)
    assert len(np.unique(shares.diagonal())) > 30


def test_a_veils_label_weighs_its_share(run):
    drawn = blends(64, is_box=False)
    drawn.partner[:] = np.roll(np.arange(64), 1)
    targets = run(mixed_by(MixUp()), np.eye(64, dtype=np.float32), drawn)
    # The weight is a mean of 1024 equal numbers, summed in float32: measured 2e-6 apart at most.
    np.testing.assert_allclose(targets.numpy().diagonal(), drawn.share, atol=1e-5)
    np.testing.assert_allclose(targets.numpy()[np.arange(64), drawn.partner], 1 - drawn.share, atol=1e-5)


@pytest.mark.parametrize("layer", MIXERS)
def test_label_rows_sum_to_exactly_one(policy, layer):
    """One-hot fine and coarse labels, over 8,000 draws for each policy and way of mixing."""
    layer = remade(layer)
    for seed in range(2):
        drawn = draw(layer, 4000, seed=(seed, 5))
        fine = np.random.default_rng(seed).integers(0, 100, 4000)
        for targets in (np.eye(100, dtype=np.float32)[fine], np.eye(20, dtype=np.float32)[COARSE_OF[fine]]):
            mixed = layer.mix_labels(targets, drawn, 32, 32)
            assert mixed.dtype == tf.float32
            assert (mixed.numpy().sum(axis=1) == 1.0).all()
            assert mixed.numpy().min() >= 0.0
            assert (mixed.numpy() != targets).any()


@pytest.mark.parametrize("layer", MIXERS)
def test_both_heads_are_mixed_by_the_same_weights(layer):
    transforms = (HorizontalFlip(), layer, ChannelShift())
    drawn = draw_all(transforms, 0, tf.constant(3, tf.int64), views(512))
    labels = np.random.default_rng(0).integers(0, 100, 512)
    fine = mix_labels(np.eye(100, dtype=np.float32)[labels], transforms, drawn, 32, 32).numpy()
    coarse = mix_labels(np.eye(20, dtype=np.float32)[COARSE_OF[labels]], transforms, drawn, 32, 32).numpy()
    np.testing.assert_allclose(fine @ np.eye(20, dtype=np.float32)[COARSE_OF], coarse, atol=1e-6)
    assert ((fine > 0).sum(1) == 2).mean() > 0.5


def test_without_a_mixing_transform_labels_stay():
    transforms = (HorizontalFlip(), ChannelShift())
    targets = np.eye(8, dtype=np.float32)
    drawn = draw_all(transforms, 0, tf.constant(0, tf.int64), views(8))
    np.testing.assert_array_equal(mix_labels(targets, transforms, drawn, 32, 32), targets)
    assert not mixes_labels(transforms)
    assert mixes_labels((*transforms, MixUp()))


@pytest.mark.parametrize("layer", MIXERS)
@pytest.mark.parametrize("num_images", [1, 2, 257])
def test_partners_are_a_permutation(layer, num_images):
    partner = draw(layer, num_images).partner
    np.testing.assert_array_equal(np.sort(partner), np.arange(num_images))


def test_every_partner_is_as_likely():
    layer, counts = MixUp(), np.zeros((4, 4))
    partners = tf.function(lambda seed: layer.draw(seed, views(4)).partner)
    for step in range(1000):
        counts[np.arange(4), partners(tf.constant([step, 1])).numpy()] += 1
    # Rows and columns sum to 1000 each, which leaves 9 degrees of freedom.
    assert scipy.stats.chisquare(counts.ravel(), ddof=6).pvalue > 0.001


@pytest.mark.parametrize(
    ("layer", "alpha"),
    [(MixUp(0.2), 0.2), (MixUp(1.0), 1.0), (MixUp(4.0), 4.0), (CutMix(1.0), 1.0), (CutMix(0.5), 0.5)],
)
def test_shares_are_beta_distributed(layer, alpha):
    share = draw(layer, 4000).share
    assert scipy.stats.kstest(share, "beta", (alpha, alpha)).pvalue > 0.001


def test_each_ways_shares_follow_its_own_alpha():
    drawn = draw(MixUpOrCutMix(mixup_alpha=0.3, cutmix_alpha=3.0), 8000)
    assert scipy.stats.kstest(drawn.share[~drawn.is_box], "beta", (0.3, 0.3)).pvalue > 0.001
    assert scipy.stats.kstest(drawn.share[drawn.is_box], "beta", (3.0, 3.0)).pvalue > 0.001


@pytest.mark.parametrize("make", [MixUp, CutMix, functools.partial(MixUpOrCutMix, 1.0)])
@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_the_probability_is_honoured(make, probability):
    blended = int((draw(make(1.0, probability=probability), 4000).share < 1).sum())
    assert scipy.stats.binomtest(blended, 4000, probability).pvalue > 0.001


def test_one_that_is_not_blended_stays_as_it_is(images):
    layer = MixUpOrCutMix(probability=0.0)
    drawn = draw(layer, 16)
    np.testing.assert_array_equal(layer.apply(images, drawn), images)
    np.testing.assert_array_equal(layer.mix_labels(np.eye(16, dtype=np.float32), drawn, 32, 32), np.eye(16))


def test_about_half_is_mixup_and_half_cutmix_and_no_image_both():
    layer = MixUpOrCutMix(1.0, 1.0)
    drawn = draw(layer, 2000)
    assert scipy.stats.binomtest(int(drawn.is_box.sum()), 2000).pvalue > 0.001
    values = np.broadcast_to(np.arange(2000, dtype=np.float32)[:, None, None, None], (2000, 32, 32, 1))
    out = layer.apply(values, drawn).numpy().reshape(2000, -1)
    apart = drawn.partner != np.arange(2000)
    is_own, is_partners = out == np.arange(2000)[:, None], out == drawn.partner[:, None]
    boxes, veils = drawn.is_box & apart, ~drawn.is_box & apart & (drawn.share > 0.001) & (drawn.share < 0.999)
    assert (is_own | is_partners)[boxes].all()
    assert (out[veils] == out[veils][:, :1]).all()
    expected = drawn.share * np.arange(2000) + (1 - drawn.share) * drawn.partner
    np.testing.assert_allclose(out[veils, 0], expected[veils], atol=1e-2)


def test_boxes_take_the_drawn_share_of_the_area_unless_cut_off():
    drawn = blends(2000, is_box=True)
    drawn.centre[:] = 0.5
    drawn.partner[:] = np.roll(np.arange(2000), 1)
    kept = CutMix().mix_labels(np.eye(2000, dtype=np.float32), drawn, 32, 32).numpy().diagonal()
    assert np.abs(kept - drawn.share).max() < 0.065  # a box's sides are rounded down to whole pixels
    assert abs((kept - drawn.share).mean()) < 0.005


def test_the_box_is_drawn_anywhere():
    centre = draw(CutMix(), 4000).centre
    assert all(scipy.stats.kstest(centre[:, axis], "uniform").pvalue > 0.001 for axis in (0, 1))
    assert abs(np.corrcoef(centre.T)[0, 1]) < 0.06


@pytest.mark.parametrize("layer", MIXERS)
def test_what_is_drawn_hangs_on_nothing_else_that_is(layer):
    drawn = draw(layer, 4000)
    of = np.stack([drawn.partner, drawn.share, *drawn.centre.T])
    assert np.abs(np.corrcoef(of) - np.eye(4)).max() < 0.06


def test_no_two_of_the_draws_are_made_of_the_same_numbers():
    drawn = draw(MixUpOrCutMix(1.0, 1.0, probability=0.5), 4000)
    of = np.stack([np.argsort(drawn.partner), drawn.is_box, drawn.share < 1, drawn.centre.ravel()[:4000]])
    assert np.abs(np.corrcoef(of) - np.eye(4)).max() < 0.06


def test_half_precision_leaves_labels_and_pixels_alone(policy, images):
    assert keras.config.dtype_policy().name == policy
    layer, drawn = MixUp(), blends(16, is_box=False)
    share = drawn.share[:, None, None, None].astype(np.float64)
    expected = share * images + (1 - share) * images[drawn.partner]
    np.testing.assert_allclose(layer.apply(images, drawn), expected, atol=1e-4)
