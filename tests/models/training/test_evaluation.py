"""Evaluation of a single view and averaged with the mirror image, and its confusion matrices."""

import base64
import io

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from models import metrics
from models.config import saved
from models.config.training import TrainConfig
from models.reporting.calibration import Answer
from models.runs.folder import RunFolder, open_locked
from models.training import loop, preconditions
from models.training.evaluation import Evaluator, evaluate_run
from pipeline.batches import OpenedData
from pipeline.common import errors, files
from pipeline.data_config import DataConfig
from pipeline.datasets.labels import FINE_TO_COARSE
from pipeline.datasets.shapes100 import builder as shapes100
from tests.descriptions import CIFAR100
from tests.models.reporting.test_calibration import by_definition


class LeftHalf(keras.layers.Layer):
    """Logits that speak for class 1 as far as the left half is bright, for class 0 by a constant."""

    def call(self, images):
        brightness = tf.reduce_mean(images[:, :, : images.shape[2] // 2], axis=(1, 2, 3))
        return tf.stack([tf.fill(tf.shape(brightness), 0.4), brightness, *[tf.zeros_like(brightness)] * 98], axis=1)


def test_mirror_image_is_averaged_in():
    images = keras.Input((4, 4, 3))
    model = keras.Model(images, {"fine": LeftHalf()(images)})
    left_bright = np.zeros((1, 4, 4, 3), np.float32)
    left_bright[:, :, :2] = 1.0
    batches = [
        {
            "image": np.concatenate([left_bright, left_bright[:, :, ::-1]]),
            "fine": np.int32([1, 1]),
            "coarse": np.int32([0, 0]),
            "mask": np.array([True, True]),
        }
    ]
    train = TrainConfig(heads="fine")
    stream = tf.data.Dataset.from_generator(
        lambda: batches,
        output_signature={name: tf.TensorSpec(value.shape, value.dtype) for name, value in batches[0].items()},
    )
    assert (
        Evaluator(model, train, CIFAR100.classes)(stream, 2)["fine_accuracy"] == 0.5
    )  # the right-bright one is class 0
    assert (
        Evaluator(model, train, CIFAR100.classes, flip_average=True)(stream, 2)["fine_accuracy"] == 1.0
    )  # both have 0.5 > 0.4 now
    with pytest.raises(RuntimeError, match="evaluated 2 examples, expected 3"):
        Evaluator(model, train, CIFAR100.classes)(stream, 3)


class Told(keras.layers.Layer):
    """Logits for the class that an image's first value names."""

    def call(self, images):
        return 9.0 * tf.one_hot(tf.cast(images[:, 0, 0, 0], tf.int32), 100)


@pytest.fixture
def told_model():
    images = keras.Input((1, 1, 1))
    return keras.Model(images, {"fine": Told()(images)})


def stream_of(answers, truths, batch_size):
    """Images that tell these answers, in padded, masked batches."""
    coarse = np.take(FINE_TO_COARSE, truths).astype(np.int32)
    values = {"image": np.float32(answers).reshape(-1, 1, 1, 1), "fine": np.int32(truths), "coarse": coarse}
    padding = -len(answers) % batch_size
    padded = {name: np.concatenate([value, value[:padding]]) for name, value in values.items()}
    padded["mask"] = np.arange(len(answers) + padding) < len(answers)
    return tf.data.Dataset.from_tensor_slices(padded).batch(batch_size)


def test_confusions_count_each_example_once_and_start_anew(told_model):
    evaluator = Evaluator(told_model, TrainConfig(heads="fine"), CIFAR100.classes)
    evaluator(stream_of([7, 7], [9, 9], 2), 2)
    truths = np.arange(100).repeat(3)
    answers = np.where(np.arange(300) % 3 == 0, (truths + 1) % 100, truths)
    means = evaluator(stream_of(answers, truths, 64), 300)
    fine, coarse = evaluator.confusions["fine"], evaluator.confusions["coarse"]
    np.testing.assert_array_equal(fine, 2 * np.eye(100) + np.roll(np.eye(100), 1, axis=1))
    assert coarse.sum() == 300
    assert coarse.sum(axis=1).tolist() == [15] * 20
    assert means["fine_accuracy"] == pytest.approx(np.trace(fine) / 300)
    assert means["coarse_from_fine_accuracy"] == pytest.approx(np.trace(coarse) / 300)


def test_confusions_of_fewer_examples_than_expected_are_an_error(told_model, monkeypatch):
    monkeypatch.setattr(metrics, "confusion", lambda *_: tf.zeros((20, 20), tf.int64))
    evaluator = Evaluator(told_model, TrainConfig(heads="coarse"), CIFAR100.classes)
    monkeypatch.setattr(metrics, "metric_totals", lambda *_: tf.eye(1, len(metrics.TOTALS), dtype=tf.float64)[0])
    with pytest.raises(RuntimeError, match="coarse confusions hold 0 examples, expected 1"):
        evaluator(stream_of([1], [1], 1), 1)


def check_predictions(run, split):
    """They give the accuracies of the report, and the labels are those of the split in its order."""
    found, report = run.evaluated("predictions"), run.report()
    opened = OpenedData(saved.configs(run.config())[0])
    assert (found["split"], found["records"]) == (split, opened.fingerprints.records)
    assert (
        found["labels"].keys()
        == found["predicted"].keys()
        == {level for level in ("fine", "coarse") if report[f"{level}_accuracy"] is not None}
    )
    own = {"head": "coarse_accuracy", "summed": "coarse_from_fine_accuracy"}[report["coarse_source"]]
    for level, predicted in found["predicted"].items():
        batches = opened.evaluation(split)
        labels = np.concatenate([batch[level].numpy()[batch["mask"].numpy()] for batch in batches])
        np.testing.assert_array_equal(found["labels"][level], labels)
        assert np.mean(predicted == labels) == pytest.approx(report[own if level == "coarse" else "fine_accuracy"])


def check_calibration(run, split):
    """Compare with the model's own predictions of the split's images, measured by the definitions as loops."""
    calibrated, mistaken, report = run.evaluated("calibration"), run.evaluated("mistakes"), run.report()
    assert calibrated["fitted_on"] == "validation"
    model, opened = run.load_model(), OpenedData(saved.configs(run.config())[0])
    batches = [{key: value.numpy() for key, value in batch.items()} for batch in opened.evaluation(split)]
    images, labels = (
        np.concatenate([batch[key][batch["mask"]] for batch in batches])
        for key in ("image", "fine" if "fine" in model.output else "coarse")
    )
    level = mistaken["level"]
    assert level == ("fine" if "fine" in model.output else "coarse")
    answer, temperature = Answer(model.predict(images, verbose=0)[level], labels), calibrated["temperatures"][level]
    for when, value in (("before", 1.0), ("after", temperature)):
        expected = by_definition(answer, value)
        found = calibrated["splits"][split]["answers"][level][when]
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
        assert report["calibration"][split][level][when] == {name: found[name] for name in expected}
        assert found["risk_coverage"][-1][1] == pytest.approx(1 - report[f"{level}_accuracy"], abs=1e-6)
    assert (mistaken["split"], len(mistaken["mistakes"])) == (split, 24)
    probabilities = [one["probability"] for one in mistaken["mistakes"]]
    assert probabilities == sorted(probabilities, reverse=True)
    names, (first, *_) = opened.description.classes.names[level], mistaken["mistakes"]
    assert names[labels[first["index"]]] == first["true"] != first["predicted"]
    assert names[answer.logits[first["index"]].argmax()] == first["predicted"]
    with PIL.Image.open(io.BytesIO(base64.b64decode(first["png"]))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), images[first["index"]])


@pytest.mark.parametrize("heads", ["both", "coarse"])
def test_evaluation_of_a_run_leaves_its_confusions_beside_the_report(tiny_data_dir, tmp_path, monkeypatch, heads):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)
    train = TrainConfig(architecture="linear", precision="float32", heads=heads, max_steps=2)
    values = {**data.as_dict(), **train.as_dict()}
    with open_locked(str(tmp_path / "run"), values, values) as run:
        loop.train(data, train, run=run, verbose=0)
        assert run.evaluated("confusion") is run.evaluated("calibration") is run.evaluated("mistakes") is None
    for split in ("validation", "test"):
        evaluate_run(run, split)
        found, report = run.evaluated("confusion"), run.report()
        assert (found["split"], found["examples_evaluated"]) == (split, 500)
        assert found["coarse"]["names"] == list(shapes100.COARSE_NAMES)  # the data set's own, not CIFAR-100's
        assert (found["fine"] is None) == (heads == "coarse")
        assert found["coarse_source"] == report["coarse_source"]
        own = {"head": "coarse_accuracy", "summed": "coarse_from_fine_accuracy"}[report["coarse_source"]]
        assert np.trace(found["coarse"]["counts"]) / 500 == pytest.approx(report[own])
        check_calibration(run, split)
        check_predictions(run, split)
        if heads == "both":
            assert sorted(found["fine"]["names"]) == sorted(shapes100.FINE_NAMES)
            assert np.trace(found["fine"]["counts"]) / 500 == pytest.approx(report["fine_accuracy"])
            np.testing.assert_array_equal(np.sum(found["fine"]["counts"], axis=1), 5)
    if heads == "both":  # the run and its data have moved together
        moved = RunFolder(run.path.rename(tmp_path / "moved"))
        files.write_json(moved.path / "config.json", {**moved.config(), "data_dir": str(tmp_path / "gone")})
        monkeypatch.setattr(preconditions, "default_data_dir", lambda: tiny_data_dir)
        evaluate_run(moved, "test")
        assert moved.report() == report


def test_damaged_calibration_is_named_on_test_and_written_anew_on_validation(tiny_data_dir, tmp_path):
    data = DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500)
    train = TrainConfig(architecture="linear", precision="float32", max_steps=1)
    values = {**data.as_dict(), **train.as_dict()}
    with open_locked(tmp_path / "run", values, values) as run:
        loop.train(data, train, run=run, verbose=0)
    (run.path / "calibration.json").write_text("{")
    with pytest.raises(errors.DamagedError, match=r"^run_dir=.*calibration.json .* on validation"):
        evaluate_run(run, "test")
    evaluate_run(run, "validation")
    fitted = run.evaluated("calibration")
    evaluate_run(run, "test")
    assert run.evaluated("calibration")["temperatures"] == fitted["temperatures"]
    assert run.evaluated("calibration")["splits"].keys() == {"validation", "test"}


def test_run_that_another_process_trains_is_told_apart_from_an_interrupted_one(tmp_path):
    files.write_json(tmp_path / "config.json", {"epochs": 2.0})
    with RunFolder(tmp_path).locked(), pytest.raises(errors.BusyError, match=r"^run_dir="):
        preconditions.evaluated_data(RunFolder(tmp_path), "test")
    with pytest.raises(errors.FailedError, match=r"^run_dir=") as caught:
        preconditions.evaluated_data(RunFolder(tmp_path), "test")
    assert not isinstance(caught.value, errors.BusyError)
