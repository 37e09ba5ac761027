"""shapes100: its label tables, its drawings, and the TFDS builder made of them."""

import hashlib
import inspect

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from pipeline.datasets import labels as official
from pipeline.datasets.shapes100 import builder as shapes100
from pipeline.datasets.shapes100 import drawing, outlines, textures


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    builder = shapes100.Shapes100Tiny(data_dir=tmp_path_factory.mktemp("data"))
    builder.download_and_prepare()
    return builder


@pytest.fixture(scope="module")
def examples(prepared):
    return {split: list(tfds.as_numpy(prepared.as_dataset(split=split))) for split in ("train", "test")}


def generator(seed):
    return np.random.default_rng(seed)


# ---- label tables


def test_there_are_100_classes_in_20_families_of_five():
    assert len(set(shapes100.FINE_NAMES)) == len(shapes100.FINE_NAMES) == len(shapes100.FINE_TO_COARSE) == 100
    assert len(set(shapes100.COARSE_NAMES)) == len(shapes100.COARSE_NAMES) == 20
    assert np.bincount(shapes100.FINE_TO_COARSE).tolist() == [5] * 20


def test_a_fine_name_begins_with_its_family():
    for name, coarse in zip(shapes100.FINE_NAMES, shapes100.FINE_TO_COARSE, strict=True):
        assert name.startswith(shapes100.COARSE_NAMES[coarse] + "_")
    assert "ring_striped" in shapes100.FINE_NAMES


def test_fine_to_coarse_is_the_function_of_cifar100():
    assert shapes100.FINE_TO_COARSE == official.FINE_TO_COARSE


# ---- drawing


def test_draw_gives_bytes_of_the_right_shape():
    images = shapes100.draw(np.array([3, 99, 0]), generator(0))
    assert images.shape == (3, 32, 32, 3)
    assert images.dtype == np.uint8


def test_draw_of_nothing_is_empty():
    assert shapes100.draw(np.array([], np.int64), generator(0)).shape == (0, 32, 32, 3)


def test_the_same_state_gives_the_same_images_and_another_seed_gives_others():
    labels = np.arange(100)
    first = shapes100.draw(labels, generator(1))
    np.testing.assert_array_equal(first, shapes100.draw(labels, generator(1)))
    other = shapes100.draw(labels, generator(2))
    assert (first != other).mean(axis=(1, 2, 3)).min() > 0.5


def test_every_class_is_drawn_differently_from_the_same_random_numbers():
    # One image per label, each from the same state: only the class differs.
    images = np.concatenate([shapes100.draw(np.array([label]), generator(7)) for label in range(100)]).astype(int)
    flat = images.reshape(100, -1)
    for label in range(100):
        changed = (np.abs(flat - flat[label]) > 25).mean(axis=1)
        changed[label] = 1
        nearest = int(changed.argmin())
        assert changed[nearest] > 0.01, (shapes100.FINE_NAMES[label], shapes100.FINE_NAMES[nearest])


def test_two_images_of_one_class_are_never_alike():
    images = shapes100.draw(np.full(50, 40), generator(3)).astype(int)
    distance = np.abs(images[:, None] - images[None]).mean(axis=(2, 3, 4))
    assert distance[~np.eye(50, dtype=bool)].min() > 5


def test_ink_accent_and_ground_can_be_told_apart():
    palettes = drawing._palettes(generator(0), 2000)
    luminance = np.sort(palettes @ np.array([0.3, 0.6, 0.1]), axis=1)
    assert np.diff(luminance, axis=1).min() > 0.05


@pytest.mark.parametrize("name", sorted(outlines.OUTLINES))
def test_an_outline_is_a_shape_of_the_common_size(name):
    axis = np.linspace(-1.6, 1.6, 65, dtype=np.float32)
    distance = outlines.OUTLINES[name](axis[None, None, :], axis[None, :, None])
    inside = distance[0] < 0
    assert distance.dtype == np.float32
    assert 0.06 < inside.mean() < 0.35
    assert not inside[[0, -1]].any()
    assert not inside[:, [0, -1]].any()
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert max(np.abs(axis[rows]).max(), np.abs(axis[columns]).max()) == pytest.approx(0.95, abs=0.2)


@pytest.mark.parametrize("name", sorted(outlines.OUTLINES))
def test_an_outline_measures_no_more_than_the_true_distance(name):
    # A distance with a gradient above one would draw lines too thin.
    axis = np.linspace(-1.2, 1.2, 97, dtype=np.float32)
    distance = outlines.OUTLINES[name](axis[None, None, :], axis[None, :, None])[0]
    slope = np.hypot(*np.gradient(distance, axis[1] - axis[0]))
    assert np.percentile(slope, 99) < 1.05


@pytest.mark.parametrize(
    ("family", "kind"), [(family, kind) for family, kinds in textures.TEXTURES.items() for kind in kinds]
)
def test_a_texture_covers_a_part_of_the_picture(family, kind):
    y, x = np.mgrid[:32, :32].astype(np.float32)[:, None]
    ink, accent = textures.TEXTURES[family][kind](x, y, np.full((1, 1, 1), 8, np.float32))
    for cover in (ink, accent):
        assert cover.min() >= 0
        assert cover.max() <= 1
    assert 0.05 < ink.mean() < 0.8
    assert accent.mean() < 0.8


def test_the_images_are_the_same_bytes_on_every_machine():
    # Exact, because the drawing uses only operations that IEEE 754 rounds correctly. It changes with every change of
    # the drawing, and then VERSION has to change with it.
    labels, images = shapes100.draw_chunk("train", 0)
    assert labels.tolist() == list(range(100)) * 5
    assert hashlib.blake2b(images.tobytes(), digest_size=8).hexdigest() == "f8c9dcc178fa6c81"


@pytest.mark.parametrize("module", [outlines, textures, drawing])
def test_the_drawing_uses_no_inexact_function(module):
    source = inspect.getsource(module)
    for function in ("sin", "cos", "tan", "arctan2", "hypot", "exp", "log", "power", "einsum", "dot"):
        assert f"np.{function}(" not in source
        assert f"math.{function}(" not in source
    assert ".normal(" not in source
    assert " @ " not in source


def test_the_splits_share_no_image():
    train, test = (shapes100.draw_chunk(split, 0)[1] for split in ("train", "test"))
    assert not {image.tobytes() for image in train} & {image.tobytes() for image in test}
    assert (train != shapes100.draw_chunk("train", 1)[1]).mean() > 0.9


# ---- builder


def test_the_tiny_set_has_as_many_examples_of_each_class(prepared, examples):
    for split, per_class in (("train", 20), ("test", 5)):
        assert prepared.info.splits[split].num_examples == len(examples[split]) == 100 * per_class
        labels = [example["label"] for example in examples[split]]
        assert np.bincount(labels, minlength=100).tolist() == [per_class] * 100


def test_the_full_set_has_the_counts_of_cifar100():
    assert (shapes100.Shapes100.TRAIN_PER_CLASS, shapes100.Shapes100.TEST_PER_CLASS) == (500, 100)
    assert shapes100.Shapes100.name == "shapes100"
    assert shapes100.Shapes100Tiny.name == "shapes100_tiny"


def test_an_example_holds_what_was_drawn(examples):
    labels, images = shapes100.draw_chunk("test", 0)
    drawn = {image.tobytes(): label for label, image in zip(labels, images, strict=True)}
    assert len(drawn) == 500
    assert len({example["id"] for example in examples["test"]}) == 500
    for example in examples["test"]:
        assert example["label"] == drawn.pop(example["image"].tobytes())
        assert example["coarse_label"] == shapes100.FINE_TO_COARSE[example["label"]]
    assert not drawn


def test_the_order_is_canonical(examples):
    for split in examples.values():
        digests = [hashlib.sha256(example["image"].tobytes()).digest() for example in split]
        assert digests == sorted(digests)


def test_classes_are_mixed_in_reading_order(examples):
    labels = np.array([example["label"] for example in examples["train"]])
    # At random, one neighbour in a hundred is of the same class, and the next class follows one in a hundred times.
    assert (labels[1:] == labels[:-1]).mean() < 0.05
    assert (np.diff(labels) == 1).mean() < 0.05


def test_features_are_those_of_cifar100(prepared, tmp_path):
    official = tfds.builder("cifar100", data_dir=tmp_path)
    ours, theirs = prepared.info.features, official.info.features
    assert tuple(ours) == tuple(theirs)
    assert ours.get_tensor_spec() == theirs.get_tensor_spec()
    assert {name: type(feature) for name, feature in ours.items()} == {
        name: type(feature) for name, feature in theirs.items()
    }
    for name in ("label", "coarse_label"):
        assert ours[name].num_classes == theirs[name].num_classes
    assert prepared.info.supervised_keys == official.info.supervised_keys


def test_the_prepared_folder_is_read_without_this_module(prepared):
    again = tfds.builder_from_directory(prepared.data_dir)
    assert tuple(again.info.features["label"].names) == shapes100.FINE_NAMES
    assert tuple(again.info.features["coarse_label"].names) == shapes100.COARSE_NAMES
    image, label = next(iter(again.as_dataset(split="train", as_supervised=True)))
    assert image.shape == (32, 32, 3)
    assert image.dtype == tf.uint8
    assert 0 <= int(label) < 100


def test_both_names_are_registered():
    for builder in (shapes100.Shapes100, shapes100.Shapes100Tiny):
        assert tfds.builder_cls(builder.name) is builder
