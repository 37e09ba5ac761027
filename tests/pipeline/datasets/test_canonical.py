"""Keys sort records by digest and label, and tell equal records apart; fingerprints are of the set and of the order."""

import dataclasses
import hashlib

import numpy as np

from pipeline.datasets.canonical import Digests, Fingerprints, tfds_examples


def records() -> list[tuple[np.ndarray, int, int]]:
    """Six records: two are equal, and two more have the same image under another label."""
    images = np.random.default_rng(0).integers(0, 256, (4, 2, 2, 3), np.uint8)
    places, labels = (0, 1, 2, 3, 1, 1), (5, 70, 7, 8, 70, 300)
    return [(images[place], label, label // 5) for place, label in zip(places, labels, strict=True)]


def test_keys_sort_by_pixels_then_label_and_equal_records_have_two():
    given = records()
    keyed = sorted(tfds_examples("train", given), key=lambda pair: pair[0])
    assert len({key for key, _ in keyed}) == len({example["id"] for _, example in keyed}) == 6
    expected = sorted((hashlib.sha256(image.tobytes()).digest(), fine) for image, fine, _ in given)
    assert [example["label"] for _, example in keyed] == [fine for _, fine in expected]
    assert all(0 <= key < 2**128 for key, _ in keyed)


def test_keys_do_not_depend_on_the_order():
    assert dict(tfds_examples("train", records())) == dict(tfds_examples("train", records()[::-1]))


def test_fingerprints_are_of_the_set_and_of_its_order():
    given = records()
    first, second = (Fingerprints.of({"train": Digests.of(each)}) for each in (given, given[::-1]))
    assert first.records == second.records
    assert first.order != second.order
    changed = [*given[:-1], (given[-1][0], 301, 60)]
    assert Fingerprints.of({"train": Digests.of(changed)}).records != first.records
    assert Fingerprints.of({"test": Digests.of(given)}).records != first.records


def test_both_fingerprints_are_equal_in_canonical_order():
    order = sorted(records(), key=lambda record: (hashlib.sha256(record[0].tobytes()).digest(), record[1]))
    fingerprints = Fingerprints.of({"train": Digests.of(order)})
    assert len(set(dataclasses.astuple(fingerprints))) == 1
