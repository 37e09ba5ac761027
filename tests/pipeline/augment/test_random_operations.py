"""TrivialAugment, RandAugment, AugMix, ColorJitter and Grayscale: what they draw, and how it is put to use."""

import keras
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf

from pipeline.augment import operations
from pipeline.augment.choice import Choice, Operation, apply_operation
from pipeline.augment.color import ColorJitter, Colors, Grayscale
from pipeline.augment.composition import apply_all, compiled, draw_all
from pipeline.augment.layer import Views
from pipeline.augment.policies import OPERATIONS, AugMix, RandAugment, TrivialAugmentWide

SEED = (1, 2)
LAYERS = [
    TrivialAugmentWide(fill_value=128.0),
    RandAugment(num_operations=2, magnitude=20),
    AugMix(severity=5, width=2, depth=2),
    ColorJitter(0.4, 0.3, 0.2, 0.1),
    Grayscale(0.5),
]


@pytest.fixture
def images() -> np.ndarray:
    """Whole values, neighbours alike as in a picture, neither black nor white."""
    noise = np.random.default_rng(0).uniform(-30, 285, (28, 32, 32, 3))
    smooth = scipy.ndimage.gaussian_filter(noise, [0, 1, 1, 0]) * 2 - 128
    return np.clip(smooth, 20, 220).round().astype(np.float32)


def even(values: np.ndarray, possible) -> bool:
    counts = [np.sum(np.isclose(values, value, atol=1e-5)) for value in possible]
    assert sum(counts) == len(values)
    return scipy.stats.chisquare(counts).pvalue > 0.001


@pytest.mark.usefixtures("policy")
def test_trivial_augment_draws_operations_and_strengths_evenly():
    operation, magnitude = (values.numpy() for values in TrivialAugmentWide().draw(SEED, Views.of(20_000)))
    assert even(operation, range(14))
    share = np.arange(31) / 30
    unchanged_and_strengths = {
        Operation.SHEAR_X: (0.0, 0.99 * share),
        Operation.SHEAR_Y: (0.0, 0.99 * share),
        Operation.TRANSLATE_X: (0.0, 32 * np.arange(31) // 30),
        Operation.TRANSLATE_Y: (0.0, 32 * np.arange(31) // 30),
        Operation.ROTATE: (0.0, 135 * share),
        Operation.BRIGHTNESS: (1.0, 0.99 * share),
        Operation.COLOR: (1.0, 0.99 * share),
        Operation.CONTRAST: (1.0, 0.99 * share),
        Operation.SHARPNESS: (1.0, 0.99 * share),
    }
    for name, (unchanged, strengths) in unchanged_and_strengths.items():
        change = magnitude[operation == name].astype(np.float64) - unchanged
        assert even(np.abs(change), strengths)
        changed = change[np.abs(change) > 1e-6]
        assert scipy.stats.binomtest(int((changed > 0).sum()), len(changed), 0.5).pvalue > 0.001
    assert even(magnitude[operation == Operation.SOLARIZE], 255 * share)
    bits = magnitude[operation == Operation.POSTERIZE]
    # 8 and 2 bits have three of the 31 levels, the others five.
    expected = [3, 5, 5, 5, 5, 5, 3]
    counts = [np.sum(bits == value) for value in range(2, 9)]
    assert scipy.stats.chisquare(counts, np.array(expected) / 31 * len(bits)).pvalue > 0.001
    for name in (Operation.IDENTITY, Operation.AUTO_CONTRAST, Operation.EQUALIZE):
        assert (magnitude[operation == name] == 0).all()


def test_choices_of_a_batch_are_independent():
    operation = TrivialAugmentWide().draw(SEED, Views.of(20_001)).operation.numpy()
    for distance in (1, 2):  # of neighbours in the batch
        table = np.zeros((14, 14))
        np.add.at(table, (operation[:-distance], operation[distance:]), 1)
        assert scipy.stats.chi2_contingency(table).pvalue > 0.001
    pairs = RandAugment().draw(SEED, Views.of(20_000)).operation.numpy()  # of one image
    table = np.zeros((14, 14))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), 1)
    assert scipy.stats.chi2_contingency(table).pvalue > 0.001


def test_rand_augment_has_one_magnitude():
    operation, magnitude = (values.numpy() for values in RandAugment(1, magnitude=15).draw(SEED, Views.of(2_000)))
    enhancements = (Operation.BRIGHTNESS, Operation.COLOR, Operation.CONTRAST, Operation.SHARPNESS)
    expected = {
        Operation.IDENTITY: {0},
        Operation.SHEAR_X: {0.15, -0.15},
        Operation.SHEAR_Y: {0.15, -0.15},
        Operation.TRANSLATE_X: {7, -7},  # 150 / 331 * 32 / 2, cut
        Operation.TRANSLATE_Y: {7, -7},
        Operation.ROTATE: {15, -15},
        **{name: {0.55, 1.45} for name in enhancements},
        Operation.POSTERIZE: {6},
        Operation.SOLARIZE: {127.5},
        Operation.AUTO_CONTRAST: {0},
        Operation.EQUALIZE: {0},
    }
    assert {name: set(magnitude[operation == name].round(4).astype(float).round(4)) for name in Operation} == expected


def test_rand_augment_applies_one_after_the_other(images):
    drawn = RandAugment().draw(SEED, Views.of(28))
    first, second = (Choice(drawn.operation[:, place], drawn.magnitude[:, place]) for place in (0, 1))
    expected = apply_operation(apply_operation(tf.constant(images), first), second)
    np.testing.assert_allclose(RandAugment().apply(tf.constant(images), drawn), expected, atol=1e-3)


def test_augmix_draws_chains_and_shares():
    drawn = AugMix(severity=3, width=3, depth=3).draw(SEED, Views.of(10_000))
    operation = drawn.choice.operation.numpy()
    acts = operation != Operation.IDENTITY
    depth = acts.sum(-1)
    assert (acts == (np.arange(3) < depth[..., None])).all()  # what is left out is left out at the end
    assert even(depth.ravel(), (1, 2, 3))
    assert even(operation[acts], OPERATIONS)
    assert np.abs(drawn.choice.magnitude.numpy()[operation == Operation.ROTATE]).max() == pytest.approx(30 * 2 / 9)
    assert set(drawn.choice.magnitude.numpy()[operation == Operation.POSTERIZE]) == {4.0, 3.0}
    share, own = drawn.share.numpy(), drawn.own_share.numpy()
    np.testing.assert_allclose(share.sum(1) + own, 1.0, atol=1e-5)
    assert scipy.stats.kstest(own, "uniform").pvalue > 0.001  # Beta(1, 1)
    within = share / share.sum(1, keepdims=True)
    for chain in range(3):
        assert scipy.stats.kstest(within[:, chain], scipy.stats.beta(1, 2).cdf).pvalue > 0.001  # of Dirichlet(1, 1, 1)
    assert abs(np.corrcoef(within[:, 0], own)[0, 1]) < 0.05


def test_augmix_mixes_the_image_and_its_chains(images):
    layer = AugMix(width=2, depth=2)
    drawn = layer.draw(SEED, Views.of(28))
    expected = drawn.own_share[:, None, None, None] * images
    for chain in range(2):
        augmented = tf.constant(images)
        for place in range(2):
            choice = Choice(drawn.choice.operation[:, chain, place], drawn.choice.magnitude[:, chain, place])
            augmented = apply_operation(augmented, choice)
        expected += drawn.share[:, chain, None, None, None] * augmented
    np.testing.assert_allclose(layer.apply(tf.constant(images), drawn), expected, atol=1e-3)


def test_color_jitter_draws_within_its_ranges_and_applies_in_order(images):
    layer = ColorJitter(brightness=0.5, contrast=1.5, saturation=0.0, hue=0.1)
    drawn = layer.draw(SEED, Views.of(5_000))
    ranges = [(0.5, 1.0), (0.0, 2.5), (1.0, 0.0), (-0.1, 0.2)]  # from, and how far
    for values, (low, width) in zip(drawn, ranges, strict=True):
        if width:
            assert scipy.stats.kstest(values, scipy.stats.uniform(low, width).cdf).pvalue > 0.001
        else:
            np.testing.assert_array_equal(values, low)
    assert np.abs(np.corrcoef([drawn.brightness, drawn.contrast, drawn.hue]) - np.eye(3)).max() < 0.06
    values = [np.full(28, value, np.float32) for value in (1.5, 0.6, 1.3, 0.2)]
    expected = tf.constant(images)
    for operation, value in zip(("brightness", "contrast", "color", "hue"), values, strict=True):
        expected = getattr(operations, operation)(expected, value)
    np.testing.assert_allclose(layer.apply(tf.constant(images), Colors(*map(tf.constant, values))), expected, atol=1e-3)


def test_grayscale_turns_its_share_grey(images):
    drawn = Grayscale(0.3).draw(SEED, Views.of(10_000)).numpy()
    assert scipy.stats.binomtest(int(drawn.sum()), 10_000, 0.3).pvalue > 0.001
    result = Grayscale().apply(tf.constant(images), tf.range(28) < 10).numpy()
    np.testing.assert_array_equal(result[10:], images[10:])
    np.testing.assert_array_equal(result[:10], operations.grayscale(tf.constant(images[:10])))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_images_are_the_same_under_every_policy(images, layer, policy):
    layer = type(layer).from_config(layer.get_config())  # made under the policy
    drawn = draw_all((layer,), 0, tf.constant(3, tf.int64), Views.of(28))
    made = apply_all(tf.constant(images), (layer,), drawn)
    assert made.dtype == tf.float32
    assert made.shape == images.shape
    assert (np.abs(made - images).max((1, 2, 3)) > 1).mean() > 0.3
    assert np.min(made) >= 0
    assert np.max(made) <= 255.001
    keras.config.set_dtype_policy("float32")  # the fixture puts the policy back that was there before it
    np.testing.assert_array_equal(apply_all(tf.constant(images), (layer,), drawn), made)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"], indirect=True)
@pytest.mark.usefixtures("policy")
def test_eager_graph_data_set_and_xla_agree(images, layer):
    layer = type(layer).from_config(layer.get_config())  # made under the policy
    views = Views.of(28)
    drawn = draw_all((layer,), 0, tf.constant(3, tf.int64), views)
    eager = apply_all(tf.constant(images), (layer,), drawn)

    def whole(images):
        return apply_all(images, (layer,), draw_all((layer,), 0, tf.constant(3, tf.int64), views))

    assert layer.xla
    dataset = tf.data.Dataset.from_tensors(images).map(whole)
    for other in (
        tf.function(whole)(images),
        dataset.get_single_element(),
        compiled((layer,))(tf.constant(images), drawn),
    ):
        if isinstance(layer, (RandAugment, AugMix)):
            # One operation leaves values as near to a whole one's edge as it likes, and the next one may round them.
            assert np.isclose(other, eager, rtol=0, atol=1e-2).mean() > 0.99
        else:
            np.testing.assert_allclose(other, eager, rtol=0, atol=1e-2)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_in_anybodys_model_it_acts_in_training_alone_and_saves(images, layer, policy, tmp_path):
    model = keras.Sequential([keras.Input((32, 32, 3)), type(layer).from_config(layer.get_config())])
    np.testing.assert_array_equal(model(images), images)
    assert (model(images, training=True).numpy() != images).any()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    assert layer.parameters()
    assert all(getattr(loaded, name) == getattr(layer, name) for name in layer.parameters())


def test_draws_in_words():
    choice = Choice(np.array([[1, 13], [5, 0]]), np.array([[-0.1, 0.0], [30.0, 0.0]]))
    assert TrivialAugmentWide().describe(Choice(np.int32(13), np.float32(0.0))) == "Equalize"
    assert RandAugment().describe(Choice(choice.operation[0], choice.magnitude[0])) == "ShearX -0.10, Equalize"
    assert Grayscale().describe(np.bool_(True)) == "grey"
    assert Grayscale().describe(np.array(False)) == "unchanged"
    colors = Colors(*np.float32([1.125, 0.87, 1.3, -0.0625]))
    assert ColorJitter().describe(colors) == "brightness 1.12, contrast 0.87, saturation 1.30, hue -22°"
    drawn = AugMix(width=2, depth=2).draw(SEED, Views.of(1))
    one = type(drawn)(choice, np.array([0.35, 0.25]), np.float32(0.4))
    assert AugMix(width=2, depth=2).describe(one) == "40% kept, 35% ShearX -0.10 Equalize, 25% Rotate +30°"


def test_values_out_of_range_are_refused():
    with pytest.raises(ValueError, match="magnitude=31: expected a whole number from 0 to 30"):
        RandAugment(magnitude=31)
    with pytest.raises(ValueError, match="severity=0: expected a whole number from 1 to 10"):
        AugMix(severity=0)
    with pytest.raises(ValueError, match=r"hue=0.6: expected .* 0\.5"):
        ColorJitter(hue=0.6)


@pytest.mark.parametrize("layer", [RandAugment(), AugMix()])
def test_images_of_another_size_than_translations_are_drawn_for_are_refused(layer):
    with pytest.raises(ValueError, match="size=32: got images of 64 x 64"):
        layer(np.zeros((2, 64, 64, 3), np.float32), training=True)
