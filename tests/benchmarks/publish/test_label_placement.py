"""Names of points go to free places near their marks."""

import itertools

import numpy as np
import pytest
from matplotlib.transforms import Bbox

from benchmarks.publish import label_placement
from benchmarks.publish.label_placement import Label


def labels_at(*middles, size=(60, 10)):
    return [Label(Bbox([np.array(middle) - 4, np.array(middle) + 4]), size) for middle in middles]


def find(labels, taken=(), bounds=(0, 0, 400, 300)):
    return label_placement.find(labels, Bbox.from_extents(*bounds), taken, 1.0)


def test_lone_name_stands_right_of_its_mark():
    (place,) = find(labels_at((100, 100)))
    assert place.box.extents == pytest.approx((107, 95, 167, 105))
    assert place.leader is None


def test_name_at_the_right_edge_stands_left():
    (place,) = find(labels_at((390, 100)))
    assert place.box.x1 <= 386


def test_name_avoids_what_is_taken():
    taken = Bbox.from_extents(104, 0, 400, 300)
    (place,) = find(labels_at((100, 100)), [taken])
    assert not place.box.overlaps(taken)


def test_names_of_a_crowd_are_apart_and_lines_lead_to_the_far_ones():
    labels = labels_at(*((200 + 12 * number, 150 + number % 2) for number in range(5)))
    places = find(labels)
    for one, other in itertools.combinations(places, 2):
        assert not one.box.overlaps(other.box)
    for place, label in itertools.product(places, labels):
        assert not place.box.overlaps(label.mark)
    led = [(place, label) for place, label in zip(places, labels, strict=True) if place.leader]
    assert led
    for place, label in led:
        start, end = place.leader.vertices
        assert np.linalg.norm(start - np.mean(label.mark.get_points(), axis=0)) == pytest.approx(4)
        assert place.box.padded(0.01).contains(*end)
        assert not any(place.leader.intersects_bbox(other.box) for other in places if other is not place)


def test_name_without_any_free_place_is_still_at_its_mark():
    (place,) = find(labels_at((100, 100)), [Bbox.from_extents(0, 0, 400, 300)])
    assert place.box.extents == pytest.approx((107, 95, 167, 105))
