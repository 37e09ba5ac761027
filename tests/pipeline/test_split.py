"""The validation split: stratified, made of the pixels and a seed alone, with equal images on one side."""

import collections
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipeline import split
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.datasets import labels, stratified_split
from pipeline.datasets.canonical import Digests
from tests.descriptions import CIFAR100

PER_CLASS = 10
NUM_EXAMPLES = PER_CLASS * labels.NUM_FINE


def digests(order_seed: int = 0) -> Digests:
    """Ten images of each class, whose digests are random but the same for each order."""
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, (NUM_EXAMPLES, 32), np.uint8)
    fine = np.repeat(np.arange(labels.NUM_FINE, dtype=np.int32), PER_CLASS)
    order = np.random.default_rng(order_seed).permutation(NUM_EXAMPLES)
    return Digests(pixels[order], fine[order], np.array(labels.FINE_TO_COARSE, np.int32)[fine[order]])


def held_out(train: Digests, num_validation: int = 300, seed: int = 0) -> set[bytes]:
    return {row.tobytes() for row in train.pixels[split.select_validation(train, num_validation, seed)]}


def parts(train: Digests, chunk: int = 64, num_validation: int = 300) -> dict[str, list[int]]:
    """{part: places of its examples in the stream}."""
    columns = {"place": np.arange(len(train)), "fine": train.fine}
    dataset = tf.data.Dataset.from_tensor_slices(columns).batch(chunk)
    stages = split.hold_out(train, num_validation, seed=0)
    return {
        name: [int(example["place"]) for example in stage(dataset).unbatch().as_numpy_iterator()]
        for name, stage in stages.items()
    }


def test_parts_are_disjoint_whole_stratified_and_in_order():
    train = digests()
    places = parts(train)
    assert set(collections.Counter(train.fine[places["train"]]).values()) == {7}
    assert set(collections.Counter(train.fine[places["validation"]]).values()) == {3}
    assert sorted(places["train"] + places["validation"]) == list(range(NUM_EXAMPLES))
    assert all(part == sorted(part) for part in places.values())
    assert parts(train, chunk=1) == parts(train, chunk=NUM_EXAMPLES) == places


def test_records_in_another_order_hold_out_the_same_images():
    assert held_out(digests(order_seed=1)) == held_out(digests(order_seed=2))


def test_another_seed_holds_out_other_images():
    train = digests()
    assert held_out(train, seed=1) == held_out(train, seed=1)
    assert held_out(train, seed=1) != held_out(train, seed=2)


def test_every_image_of_a_class_is_held_out_equally_often():
    train = digests(order_seed=3)
    counts = np.zeros(NUM_EXAMPLES, int)
    for seed in range(50):
        counts += split.select_validation(train, 300, seed)
    by_rank = counts[np.argsort(train.fine, kind="stable")].reshape(labels.NUM_FINE, PER_CLASS).sum(axis=0)
    assert by_rank.sum() == 50 * 300
    assert all(1350 < count < 1650 for count in by_rank)  # 1500 expected, standard deviation 32


@pytest.mark.parametrize("labels_of_pair", ["one", "two"])
def test_equal_images_that_would_be_separated_all_train(labels_of_pair):
    train = digests()
    mask = split.select_validation(train, 300, 0)
    inside = int(np.flatnonzero(mask)[0])
    outside = [
        place
        for place in np.flatnonzero(~mask)
        if (train.fine[place] == train.fine[inside]) == (labels_of_pair == "one")
    ]
    twin = int(outside[-1])
    # The twin of another class gets the pixels of the image held out: it ranks where that did, or is separated.
    train.pixels[twin] = train.pixels[inside]
    train.fine[twin] = train.fine[inside] if labels_of_pair == "one" else train.fine[twin]
    for seed in range(20):
        now = split.select_validation(train, 300, seed)
        assert now[twin] == now[inside]
        assert np.bincount(train.fine[now], minlength=100).tolist() == [3] * 100


def test_a_separated_pair_gives_its_place_to_the_next_of_its_class():
    train = digests()
    before = split.select_validation(train, 300, 0)
    inside = int(np.flatnonzero(before)[0])
    ranks = [int(place) for place in np.flatnonzero(split.select_validation(train, 400, 0) & ~before)]
    following = next(place for place in ranks if train.fine[place] == train.fine[inside])
    last = next(
        place
        for place in np.flatnonzero(~split.select_validation(train, 900, 0))
        if train.fine[place] != train.fine[inside]
    )
    others_pixels = train.pixels[last].copy()
    train.pixels[inside] = others_pixels  # an image that ranks last in its own class, and last in this one
    after = split.select_validation(train, 300, 0)
    assert not after[inside]
    assert not after[last]
    assert after[following]


def test_nothing_held_out_is_everything_in_training():
    assert parts(digests(), num_validation=0) == {"train": list(range(NUM_EXAMPLES)), "validation": []}


@pytest.mark.parametrize("num_validation", [1000, 2000])
def test_a_holdout_of_everything_is_refused(num_validation):
    description = dataclasses.replace(CIFAR100, num_examples={"train": NUM_EXAMPLES, "test": 0})
    with pytest.raises(errors.BadArgumentError, match=f"num_validation={num_validation}: expected fewer than the 1000"):
        DataConfig(num_validation=num_validation).split_sizes(description)


def test_what_is_no_multiple_of_the_classes_is_spread_over_them():
    train = digests()
    counts = np.bincount(train.fine[split.select_validation(train, 250, 0)])
    assert counts.tolist() == [3] * 50 + [2] * 50


def test_classes_of_several_sizes_give_the_same_share():
    sizes = np.array([1000, 10, 100, 1])
    counts = stratified_split.per_class(sizes, 222, sizes)
    assert counts.tolist() == [200, 2, 20, 0]
    assert stratified_split.per_class(sizes, 223, sizes).sum() == 223


def test_a_class_whose_images_have_equals_gives_fewer_and_others_more():
    train = digests()
    train.fine[np.flatnonzero(train.fine == 7)[2:]] = 8
    of_7, of_8 = np.flatnonzero(train.fine == 7), np.flatnonzero(train.fine == 8)
    train.pixels[of_7] = train.pixels[of_8[:1]]  # separated from the image of class 8 whatever is held out
    counts = np.bincount(train.fine[split.select_validation(train, 300, 0)], minlength=100)
    assert counts.sum() == 300
    assert counts[7] == 0


def test_more_than_may_be_held_out_is_one_clear_line():
    train = digests()
    train.pixels[:] = train.pixels[0]
    with pytest.raises(errors.BadArgumentError, match="num_validation=300: expected at most 0; the others have equals"):
        split.select_validation(train, 300, 0)


@pytest.mark.real_data
def test_real_classes_have_400_and_100_and_no_pair_is_separated(real_data_dir):
    opened = OpenedData(DataConfig(data_dir=real_data_dir))
    images = {}
    for part, expected in (("train", 400), ("validation", 100)):
        examples = list(opened.examples(part).unbatch().as_numpy_iterator())
        assert collections.Counter(int(example["fine"]) for example in examples) == dict.fromkeys(range(100), expected)
        images[part] = {example["image"].tobytes() for example in examples}
    assert not images["train"] & images["validation"]


def test_parts_are_frozen():
    part = split.hold_out(digests(), 300, seed=0)["train"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.split = "validation"
