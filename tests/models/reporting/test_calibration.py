"""Measures of probabilities against the definitions written as loops, cases by hand, and the fitted temperature."""

import json
import math

import numpy as np
import pytest

from models.reporting import calibration
from models.reporting.calibration import Answer
from models.runs.folder import RunFolder
from pipeline.datasets.description import Classes

THREE = Classes(("a", "b", "c"), ("x", "y"), (0, 0, 1))


def drawn(num_examples=400, num_classes=7, scale=2.0, seed=0):
    """Logits of a wide range, and labels that are drawn with the probabilities of the logits divided by `scale`."""
    generator = np.random.default_rng(seed)
    honest = generator.normal(0.0, 2.0, (num_examples, num_classes))
    noise = generator.gumbel(size=honest.shape)  # the argmax of logits with it is a draw of the softmax
    return Answer((scale * honest).astype(np.float32), (honest + noise).argmax(axis=1))


def summed(answer, superclass_of):
    superclass_of = np.asarray(superclass_of)
    return Answer(answer.logits, superclass_of[answer.labels], superclass_of)


def probabilities(answer, temperature):
    """Lists of the probabilities of each example, by the definition."""
    rows = []
    for logits in answer.logits.tolist():
        exponentials = [math.exp(logit / temperature) for logit in logits]
        row = [one / sum(exponentials) for one in exponentials]
        if answer.superclass_of is not None:
            groups = [0.0] * (max(answer.superclass_of) + 1)
            for superclass, one in zip(answer.superclass_of, row, strict=True):
                groups[superclass] += one
            row = groups
        rows.append(row)
    return rows


def by_definition(answer, temperature):
    """NLL, ECE and Brier score, each as its paper defines it."""
    rows, count = probabilities(answer, temperature), len(answer.labels)
    likelihood = brier = 0.0
    for row, label in zip(rows, answer.labels, strict=True):
        likelihood -= math.log(row[label])
        for number, one in enumerate(row):
            brier += (one - (1.0 if number == label else 0.0)) ** 2
    error = 0.0
    for number in range(15):
        inside = [
            (max(row), row.index(max(row)) == label)
            for row, label in zip(rows, answer.labels, strict=True)
            if number / 15 < max(row) <= (number + 1) / 15
        ]
        if inside:
            confidence = sum(one for one, _ in inside) / len(inside)
            accuracy = sum(hit for _, hit in inside) / len(inside)
            error += len(inside) / count * abs(accuracy - confidence)
    return {"nll": likelihood / count, "ece": error, "brier": brier / count}


@pytest.mark.parametrize("temperature", [1.0, 0.4, 3.1])
@pytest.mark.parametrize("superclass_of", [None, (0, 1, 1, 2, 0, 2, 2)])
def test_measures_are_those_of_the_definitions(superclass_of, temperature, monkeypatch):
    monkeypatch.setattr(calibration, "CHUNK", 7 * 33)  # the last chunk is a part
    answer = drawn() if superclass_of is None else summed(drawn(), superclass_of)
    found = calibration.measures(answer, temperature)
    for name, value in by_definition(answer, temperature).items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert found["brier"] == pytest.approx(calibration.brier_score(answer, temperature), abs=1e-12)
    assert sum(count for count, *_ in found["reliability"]) == 400


def test_two_examples_by_hand():
    """0.7 for the true class, and 0.7 for a wrong one: half are right."""
    answer = Answer(np.log([[0.7, 0.3], [0.7, 0.3]]).astype(np.float32), np.array([0, 1]))
    found = calibration.measures(answer)
    assert found["nll"] == pytest.approx(-(math.log(0.7) + math.log(0.3)) / 2)
    assert found["ece"] == pytest.approx(0.2)
    assert found["brier"] == pytest.approx((2 * 0.3**2 + 2 * 0.7**2) / 2)
    assert [place for place, (count, *_) in enumerate(found["reliability"]) if count] == [10]  # (10/15, 11/15]
    assert found["reliability"][10] == [2, pytest.approx(0.7, abs=1e-6), 0.5]
    assert found["reliability"][0] == [0, None, None]
    assert found["risk_coverage"] == [[0.5, 0.5], [1.0, 0.5]]  # equally confident: either may come first


def test_edge_belongs_to_the_lower_bin_and_certainty_to_the_last():
    hits = np.array([True, False, True])
    bins = calibration.reliability(np.array([1 / 15, np.nextafter(1 / 15, 1), 1.0]), hits)
    assert [count for count, *_ in bins] == [1, 1, *[0] * 12, 1]
    assert bins[14] == (1, 1.0, 1.0)


def test_risk_grows_with_coverage_by_hand():
    confidences, hits = np.array([0.5, 0.9, 0.7, 0.6]), np.array([False, True, False, True])
    np.testing.assert_allclose(calibration.risks(confidences, hits), [0, 1 / 2, 1 / 3, 2 / 4])
    order = [2, 0, 3, 1]  # of the examples does not matter, nor does it among equals
    tied = np.array([0.9, 0.9, 0.1, 0.9])
    np.testing.assert_allclose(
        calibration.risks(tied, hits), calibration.risks(tied[order], hits[order]), rtol=0, atol=1e-15
    )
    np.testing.assert_allclose(calibration.risks(tied, hits), [1 / 3, 1 / 3, 1 / 3, 1 / 2])


@pytest.mark.parametrize("count", [1, 3, 100, 250, 1001])
def test_curve_has_at_most_a_hundred_points_and_ends_with_the_error_rate(count):
    answer = drawn(count)
    found = calibration.measures(answer)
    assert len(found["risk_coverage"]) == min(count, 100)
    error_rate = np.mean(answer.logits.argmax(axis=1) != answer.labels)
    assert found["risk_coverage"][-1] == [1.0, pytest.approx(error_rate, abs=1e-6)]
    assert 0 <= found["aurc"] <= 1


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_fitted_temperature_is_the_one_that_the_labels_were_drawn_with(scale):
    answer = drawn(20_000, scale=scale)
    temperature = calibration.fit_temperature(answer)
    assert temperature == pytest.approx(scale, rel=0.03)
    before, after = (calibration.predictions(answer, value) for value in (1.0, temperature))
    np.testing.assert_array_equal(after.predicted, before.predicted)
    measures = calibration.measures(answer, temperature)
    assert measures["ece"] < 0.02
    assert measures["brier"] <= calibration.measures(answer)["brier"]
    superclasses = summed(answer, (0, 0, 0, 1, 1, 2, 2))
    assert calibration.fit_temperature(superclasses) == pytest.approx(scale, rel=0.05)


def test_fitted_temperature_has_the_least_brier_score_by_its_definition():
    answer = drawn(300)
    labels = np.where(np.arange(300) % 10, answer.labels, (answer.labels + 1) % 7)  # some truths seem impossible
    answer = Answer(answer.logits, labels)
    temperature = calibration.fit_temperature(answer)
    brier = {factor: by_definition(answer, factor * temperature)["brier"] for factor in (0.98, 1.0, 1.02)}
    assert min(brier, key=brier.get) == 1.0
    likelihood = {factor: by_definition(answer, factor * temperature)["nll"] for factor in (1.0, 1.02)}
    assert likelihood[1.02] < likelihood[1.0]


def test_predictions_stay_where_probabilities_become_equal():
    """At a high temperature 1e-9 between two logits is lost in a probability."""
    logits = np.zeros((1, 3), np.float32)
    logits[0, 2] = 1e-30
    assert calibration.predictions(Answer(logits, np.array([2])), 10.0).predicted.tolist() == [2]


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        ([[9.0, 0.0], [0.0, 9.0]], [0, 1]),  # always right
        ([[9.0, 0.0], [0.0, 9.0]], [1, 0]),  # always wrong
        ([[3e38, -3e38], [-3e38, 3e38]], [0, 1]),
        ([[3e38, -3e38], [3e38, 3e38]], [1, 0]),
        ([[1.0], [-5.0]], [0, 0]),  # one class
        ([[0.0, 0.0, 0.0]], [1]),  # one example, of which nothing is known
    ],
)
def test_extremes_have_finite_measures_and_a_temperature_in_its_limits(logits, labels, tmp_path):
    answer = Answer(np.float32(logits), np.array(labels))
    temperature = calibration.fit_temperature(answer)
    assert calibration.MIN_TEMPERATURE <= temperature <= calibration.MAX_TEMPERATURE
    found = {name: calibration.measures(answer, value) for name, value in (("before", 1.0), ("after", temperature))}
    assert found["after"]["brier"] <= found["before"]["brier"]
    assert "-0.0" not in json.dumps(found, allow_nan=False)
    if len(logits[0]) == 1:
        assert (temperature, found["before"]["nll"], found["before"]["ece"]) == (1.0, 0.0, 0.0)


def test_summed_probability_that_vanishes_has_a_likelihood():
    answer = Answer(np.float32([[2000.0, 0.0, 1.0]]), np.array([1]), np.array([0, 1, 1]))
    assert calibration.measures(answer)["nll"] == pytest.approx(2000 - math.log(1 + math.e))


def made_answers(seed=0, num_examples=300):
    """Answers of a model with both heads on classes a and b of superclass x, and c of y."""
    fine = drawn(num_examples, 3, seed=seed)
    labels = {"fine": fine.labels, "coarse": np.take(THREE.fine_to_coarse, fine.labels)}
    logits = {"fine": fine.logits, "coarse": drawn(num_examples, 2, seed=seed + 1).logits}
    return calibration.answers(logits, labels, THREE)


def test_test_images_never_change_a_temperature(tmp_path):
    validation, test = made_answers(0), made_answers(5, 200)
    fitted = calibration.document(None, "validation", validation, THREE)
    both = calibration.document(fitted, "test", test, THREE)
    assert (both["temperatures"], both["fitted_on"]) == (fitted["temperatures"], "validation")
    assert both["temperatures"].keys() == {"fine", "coarse", "coarse_from_fine"}
    assert both["splits"]["validation"] == fitted["splits"]["validation"]
    fine = both["splits"]["test"]["answers"]["fine"]
    assert fine["before"] == calibration.measures(test["fine"])
    assert fine["after"] == calibration.measures(test["fine"], fitted["temperatures"]["fine"])
    RunFolder(tmp_path).write_evaluated("calibration", both)
    assert RunFolder(tmp_path).evaluated("calibration") == both
    again = calibration.document(both, "validation", validation, THREE)
    assert again == both
    entry = calibration.summary(both, "test")["coarse_from_fine"]
    assert entry["temperature"] == both["temperatures"]["coarse_from_fine"]
    whole = both["splits"]["test"]["answers"]["coarse_from_fine"]
    assert entry["after"] == {name: whole["after"][name] for name in ("ece", "nll", "brier")}


def test_without_a_held_out_split_there_is_no_temperature(tmp_path):
    document = calibration.document(None, "test", made_answers(), THREE)
    assert (document["temperatures"], document["fitted_on"]) == ({}, None)
    assert document["splits"]["test"]["answers"]["fine"]["after"] is None
    assert calibration.summary(document, "test")["fine"]["temperature"] is None
    RunFolder(tmp_path).write_evaluated("calibration", document)
    assert RunFolder(tmp_path).evaluated("calibration") == document


def test_mistakes_within_the_superclass_and_heads_that_agree_by_hand():
    """Fine predictions a, b, c, c and coarse ones x, y, y, x of a, a, a, c: b for a is within x, c for a is not."""
    fine, coarse = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]], np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]
    labels = {"fine": np.array([0, 0, 0, 2]), "coarse": np.array([0, 0, 0, 1])}
    found = calibration.answers({"fine": fine, "coarse": coarse}, labels, THREE)
    split = calibration.document(None, "test", found, THREE)["splits"]["test"]
    assert (split["examples"], split["within_superclass"], split["heads_agree"]) == (4, 0.5, 0.5)
    right = {"fine": np.eye(3, dtype=np.float32)[labels["fine"]]}
    split = calibration.document(None, "test", calibration.answers(right, labels, THREE), THREE)["splits"]["test"]
    assert (split["within_superclass"], split["heads_agree"]) == (None, None)


def test_one_level_of_labels_has_no_coarse_answer():
    one_level = Classes(("a", "b", "c"))
    fine = drawn(50, 3)
    found = calibration.answers({"fine": fine.logits}, {"fine": fine.labels}, one_level)
    document = calibration.document(None, "validation", found, one_level)
    split = document["splits"]["validation"]
    assert document["temperatures"].keys() == split["answers"].keys() == {"fine"}
    assert (split["within_superclass"], split["heads_agree"]) == (None, None)
