"""Rows of probabilities."""

import numpy as np
import pytest

from models.prediction import rows
from models.prediction.rows import Answer, Row
from pipeline.datasets.description import Classes

CLASSES = Classes(("ant", "bee", "cat"), ("insect", "mammal"), (0, 0, 1))
FINE = np.float32([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]])
COARSE = np.float32([[0.5, 0.5], [0.25, 0.75]])


def row(fields: dict) -> Row:
    return Row("a", **fields)


def test_classes_come_in_order_of_probability_and_equal_ones_in_their_own():
    predicted = {"fine": FINE.argmax(axis=1), "coarse": COARSE.argmax(axis=1)}
    first, second = rows.of_images(predicted, {"fine": FINE, "coarse": COARSE}, CLASSES, 2)
    assert row(first).top == (Answer("cat", 0.5, "mammal"), Answer("ant", 0.25, "insect"))
    assert row(second).top == (Answer("ant", 0.5, "insect"), Answer("bee", 0.25, "insect"))
    assert [row(fields).coarse for fields in (first, second)] == [Answer("insect", 0.5), Answer("mammal", 0.75)]
    assert len(next(rows.of_images(predicted, {"fine": FINE, "coarse": COARSE}, CLASSES, 9))["top"]) == 3


def test_equal_probabilities_come_in_the_order_of_their_classes():
    drawn = np.random.default_rng(0)
    probabilities = drawn.integers(0, 4, (50, 40)).astype(np.float32) / 4  # many are equal
    probabilities[0, 3] = np.nan
    predicted = probabilities.argmax(axis=1)
    names = tuple(map(str, range(40)))
    for count in (1, 5, 39, 40, 99):
        for row, first, answers in zip(
            probabilities, predicted, rows.most_probable(predicted, probabilities, names, count), strict=True
        ):
            others = sorted(set(range(40)) - {first}, key=lambda n: (np.isnan(row[n]), -row[n], n))
            assert [int(answer.label) for answer in answers] == [first, *others][:count]


def test_predicted_class_comes_first_whatever_its_probability():
    predicted = {"fine": np.array([1, 0]), "coarse": np.array([1, 0])}
    first, second = rows.of_images(predicted, {"fine": FINE, "coarse": COARSE}, CLASSES, 3)
    assert [answer.label for answer in row(first).top] == ["bee", "cat", "ant"]
    assert row(second).coarse == Answer("insect", 0.25)


def test_one_level_of_labels_has_no_superclass():
    plain = Classes(CLASSES.fine)
    (first, _) = rows.of_images({"fine": FINE.argmax(axis=1)}, {"fine": FINE}, plain, 1)
    assert row(first).as_dict() == {"path": "a", "top": [{"label": "cat", "probability": 0.5}]}


def test_coarse_head_alone_has_superclasses_on_top():
    (_, second) = rows.of_images({"coarse": COARSE.argmax(axis=1)}, {"coarse": COARSE}, CLASSES, 5)
    found = Row("a", **second, truth={"fine": "cat", "coarse": "mammal"}).as_dict()
    assert [answer["label"] for answer in found["top"]] == ["mammal", "insect"]
    assert found["coarse"] == {"label": "mammal", "probability": 0.75}
    assert {name: value for name, value in found.items() if "true" in name or "right" in name} == {
        "true_coarse": "mammal",
        "is_coarse_right": True,
    }


@pytest.mark.parametrize(("probability", "written"), [(1 / 3, 0.333333), (1e-9, 1e-9), (1.0, 1.0), (0.0, 0.0)])
def test_probability_has_six_digits(probability, written):
    assert Answer("a", probability).as_dict()["probability"] == written
