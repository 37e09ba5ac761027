"""Sums that add up to exact means."""

import numpy as np
import pytest
import tensorflow as tf

from models import metrics
from models.config.training import TrainConfig
from models.runs import schemas
from pipeline.common import errors
from pipeline.datasets import labels
from tests.descriptions import CIFAR100

CONFIG = TrainConfig(fine_label_smoothing=0.0, coarse_label_smoothing=0.0, coarse_loss_weight=0.5)


@pytest.fixture
def answered() -> tuple[dict, dict]:
    generator = np.random.default_rng(0)
    fine = generator.integers(0, 100, 12).astype(np.int32)
    batch = {"fine": fine, "coarse": np.take(labels.FINE_TO_COARSE, fine).astype(np.int32)}
    logits = {
        "fine": generator.normal(0, 3, (12, 100)).astype(np.float32),
        "coarse": generator.normal(0, 3, (12, 20)).astype(np.float32),
    }
    logits["fine"][np.arange(6), fine[:6]] = 20.0
    return logits, batch


def log_softmax(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    return values - np.log(np.exp(values).sum(1, keepdims=True))


def test_means_equal_numpy(answered):
    logits, batch = answered
    found = metrics.means(metrics.metric_totals(CONFIG, CIFAR100.classes, logits, batch), "both", CIFAR100.classes)
    rows = np.arange(12)
    fine_loss = -log_softmax(logits["fine"])[rows, batch["fine"]].mean()
    coarse_loss = -log_softmax(logits["coarse"])[rows, batch["coarse"]].mean()
    summed = np.exp(log_softmax(logits["fine"])) @ np.eye(20)[list(labels.FINE_TO_COARSE)]
    assert found == pytest.approx(
        {
            "loss": fine_loss + 0.5 * coarse_loss,
            "fine_loss": fine_loss,
            "coarse_loss": coarse_loss,
            "fine_accuracy": (logits["fine"].argmax(1) == batch["fine"]).mean(),
            "coarse_accuracy": (logits["coarse"].argmax(1) == batch["coarse"]).mean(),
            "coarse_from_fine_accuracy": (summed.argmax(1) == batch["coarse"]).mean(),
        },
        rel=1e-5,
    )
    assert found["fine_accuracy"] >= 0.5


def test_padding_counts_for_nothing(answered):
    logits, batch = answered
    part = {name: value[:7] for name, value in logits.items()}
    expected = metrics.metric_totals(CONFIG, CIFAR100.classes, part, {name: value[:7] for name, value in batch.items()})
    found = metrics.metric_totals(CONFIG, CIFAR100.classes, logits, {**batch, "mask": np.arange(12) < 7})
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("heads", ["fine", "coarse"])
def test_single_head_leaves_the_other_out(answered, heads):
    logits, batch = answered
    config = TrainConfig(**{"heads": heads, f"{heads}_label_smoothing": 0.0})
    found = metrics.means(
        metrics.metric_totals(config, CIFAR100.classes, {heads: logits[heads]}, batch), heads, CIFAR100.classes
    )
    other = {"fine": "coarse", "coarse": "fine"}[heads]
    assert f"{heads}_accuracy" in found
    assert f"{other}_loss" not in found
    assert found["loss"] == pytest.approx(found[f"{heads}_loss"])
    assert ("coarse_from_fine_accuracy" in found) == (heads == "fine")


@pytest.mark.parametrize(
    ("heads", "source", "coarse_from"),
    [("both", "head", "coarse"), ("both", "summed", "fine"), ("fine", None, "fine"), ("coarse", None, "coarse")],
)
def test_confusions_are_of_the_own_answer_and_not_of_padding(answered, heads, source, coarse_from):
    logits, batch = answered
    logits = logits if heads == "both" else {heads: logits[heads]}
    config = TrainConfig(heads=heads, **({"coarse_source": source} if source else {}))
    mask = np.arange(12) != 3
    summed = np.exp(log_softmax(answered[0]["fine"])) @ np.eye(20)[list(labels.FINE_TO_COARSE)]
    answers = {"coarse": {"coarse": answered[0]["coarse"], "fine": summed}[coarse_from].argmax(1)}
    if heads != "coarse":
        answers["fine"] = logits["fine"].argmax(1)
    for name, answer in answers.items():
        found = metrics.confusion(config, CIFAR100.classes, name, logits, {**batch, "mask": mask})
        expected = np.zeros({"fine": (100, 100), "coarse": (20, 20)}[name], np.int64)
        np.add.at(expected, (batch[name][mask], answer[mask]), 1)
        assert found.dtype == tf.int64
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("values", "source"),
    [
        ({"heads": "fine"}, "summed"),
        ({"heads": "coarse"}, "head"),
        ({"coarse_source": "head"}, "head"),
        ({"coarse_source": "summed"}, "summed"),
    ],
)
def test_single_head_leaves_no_choice_of_the_coarse_prediction(values, source):
    assert metrics.coarse_source(TrainConfig(**values)) == source


@pytest.mark.parametrize("config", [TrainConfig(coarse_loss_weight=0.3), TrainConfig(heads="coarse")])
def test_loss_of_guessing_is_that_of_equal_logits(config):
    logits = {name: tf.zeros((2, {"fine": 100, "coarse": 20}[name])) for name in config.head_names}
    labels_of_two = {name: np.array([0, 7], np.int32) for name in logits}
    expected = metrics.objective(config, logits, labels_of_two)
    np.testing.assert_allclose(expected, metrics.guessing_loss(config, CIFAR100.classes), rtol=1e-5)


def test_smoothing_equals_keras(answered):
    import keras

    logits, batch = answered
    config = TrainConfig(fine_label_smoothing=0.3, heads="fine")
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    expected = theirs(tf.one_hot(batch["fine"], 100), logits["fine"])
    found = tf.reduce_mean(metrics.objective(config, {"fine": logits["fine"]}, batch))
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_mean_that_is_not_a_number_is_an_error():
    batch = {"fine": np.zeros(2, np.int32), "coarse": np.zeros(2, np.int32)}
    logits = {"fine": np.full((2, 100), np.nan, np.float32)}
    with pytest.raises(errors.DivergedError, match=r"loss is nan.*diverged"):
        metrics.means(metrics.metric_totals(CONFIG, CIFAR100.classes, logits, batch), "fine", CIFAR100.classes)


def test_no_example_has_no_mean():
    assert metrics.means(np.zeros(len(metrics.TOTALS)), "both", CIFAR100.classes) == {}


def test_rows_of_shares_cost_what_their_labels_cost_by_share(answered):
    logits, batch = answered
    config = TrainConfig(fine_label_smoothing=0.2, coarse_label_smoothing=0.1, coarse_loss_weight=0.5)
    whole = {name: np.eye(n, dtype=np.float32)[batch[name]] for name, n in (("fine", 100), ("coarse", 20))}
    plain = metrics.objective(config, logits, batch)
    np.testing.assert_allclose(metrics.objective(config, logits, whole), plain, rtol=1e-5)
    other = {name: np.roll(labels, 1, axis=0) for name, labels in batch.items()}
    blended = {name: 0.7 * row + 0.3 * np.roll(row, 1, axis=0) for name, row in whole.items()}
    expected = 0.7 * plain + 0.3 * metrics.objective(config, logits, other)
    np.testing.assert_allclose(metrics.objective(config, logits, blended), expected, rtol=1e-5)
    hits = metrics.means(metrics.metric_totals(config, CIFAR100.classes, logits, blended), "both", CIFAR100.classes)
    assert (
        hits["fine_accuracy"]
        == metrics.means(metrics.metric_totals(config, CIFAR100.classes, logits, batch), "both", CIFAR100.classes)[
            "fine_accuracy"
        ]
    )


def test_sums_of_other_metrics_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        metrics.means(np.ones(len(metrics.TOTALS) - 1), "both", CIFAR100.classes)


def test_balanced_weights_are_those_of_scikit_learn_and_mix_as_labels_do():
    from sklearn.utils.class_weight import compute_class_weight

    labels_of_all = np.repeat([0, 1, 2], [6, 3, 1])
    weights = metrics.balanced_weights(np.bincount(labels_of_all, minlength=4))
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels_of_all)
    np.testing.assert_allclose(weights, [*expected, 1.0], rtol=1e-6)
    config = TrainConfig(heads="fine", fine_label_smoothing=0.0)
    logits, of_each = {"fine": tf.zeros((3, 4))}, {"fine": np.array([0, 1, 2], np.int32)}
    plain = metrics.objective(config, logits, of_each)
    np.testing.assert_allclose(metrics.objective(config, logits, of_each, {"fine": weights}), plain * weights[:3])
    blended = {"fine": tf.constant([[0.5, 0.5, 0.0, 0.0]])}
    half = metrics.objective(config, {"fine": tf.zeros((1, 4))}, blended, {"fine": weights})
    np.testing.assert_allclose(half, plain[:1] * weights[:2].mean(), rtol=1e-6)


def test_balanced_accuracy_is_the_mean_over_classes_that_have_examples():
    counts = np.array([[8, 2, 0], [1, 1, 0], [0, 0, 0]])
    assert metrics.balanced_accuracy(counts) == pytest.approx((0.8 + 0.5) / 2)


def test_names_of_balanced_accuracies_are_those_of_reports():
    assert metrics.BALANCED == {"fine": "fine_balanced_accuracy", "coarse": "coarse_balanced_accuracy"}
    assert tuple(metrics.BALANCED.values()) == schemas.BALANCED
