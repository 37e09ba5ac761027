"""The loop's report, its epochs, its determinism and what it prints."""

import dataclasses
import json

import keras
import pytest
import tensorflow as tf

from models.config.training import TrainConfig
from models.reporting import flops
from models.training import loop
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.data_config import DataConfig
from tests.models.training.linear_runs import assert_same, linear, timeless, weights

REPORT_KEYS = [
    "dataset",
    "num_train",
    "num_validation",
    "num_test",
    "preset",
    "precision",
    "precision_reason",
    "seed",
    "epochs",
    "steps",
    "fine_accuracy",
    "coarse_accuracy",
    "coarse_from_fine_accuracy",
    "coarse_source",
    "loss",
    "fine_loss",
    "coarse_loss",
    "split",
    "examples_evaluated",
    "train_seconds",
    "examples_per_second",
    "train_petaflop",
    "executed_petaflop",
    "optimizer_petaflop",
    "peak_rss_mib",
    "num_parameters",
    "num_replicas",
    "sync_batch_norm",
    "num_processors",
    "device",
    "settings",
    "versions",
    "git_commit",
]


def test_report_and_rows_keep_the_contract(data):
    trained = loop.train(data, linear(), verbose=0)
    assert set(REPORT_KEYS) <= trained.report.keys()
    report = trained.report
    assert (report["num_train"], report["num_validation"], report["num_test"]) == (1500, 500, 500)
    assert (report["steps"], report["epochs"], report["split"], report["examples_evaluated"]) == (
        45,
        3,
        "validation",
        500,
    )
    assert report["preset_changes"]["architecture"] == "linear"  # the preset quick is another network
    assert not {"seed", "dataset", "momentum"} & report["preset_changes"].keys()
    assert report["train_petaflop"] == pytest.approx(6 * 3072 * 120 * 4500 / 1e15)
    assert report["executed_petaflop"] == pytest.approx(2 / 3 * report["train_petaflop"])  # no gradient of the images
    assert report["optimizer_petaflop"] == 0
    assert report["fine_accuracy"] == trained.rows[-1]["validation_fine_accuracy"]
    assert [row["step"] for row in trained.rows] == [15, 30, 45]
    assert trained.rows[-1]["train_fine_accuracy"] > 2 * trained.rows[0]["train_fine_accuracy"]
    assert report["examples_per_class"] == {"fine": [15] * 100, "coarse": [75] * 20}
    assert report["calibration"] == {}
    assert all(100 < row["rss_mib"] <= report["peak_rss_mib"] for row in trained.rows)
    assert json.loads(json.dumps(report)) == report


def test_validation_agrees_with_keras_on_the_same_images(data):

    trained = loop.train(data, linear(epochs=1.0), verbose=0)
    hits = count = 0
    for batch in OpenedData(data).evaluation("validation"):
        answers = trained.model.predict(batch["image"], verbose=0)["fine"].argmax(1)
        hits += int(((answers == batch["fine"]) & batch["mask"]).numpy().sum())
        count += int(tf.reduce_sum(tf.cast(batch["mask"], tf.int32)))
    assert (count, trained.report["fine_accuracy"]) == (500, pytest.approx(hits / 500))


def test_single_head_reports_null_for_the_other(data):
    report = loop.train(data, linear(heads="coarse", max_steps=1), verbose=0).report
    assert report["coarse_accuracy"] is not None
    assert report["fine_accuracy"] is report["fine_loss"] is report["coarse_from_fine_accuracy"] is None


def test_no_holdout_trains_on_everything_and_reports_null(data):
    everything = DataConfig(**{**data.as_dict(), "num_validation": 0})
    report = loop.train(everything, linear(epochs=1.0), verbose=0).report
    assert (report["num_train"], report["steps"], report["fine_accuracy"]) == (2000, 20, None)


def test_virtual_examples_make_a_longer_epoch_of_new_views(data):
    virtual = DataConfig(**{**data.as_dict(), "virtual_examples": 3100})
    trained = loop.train(virtual, linear(epochs=1.0), verbose=0)
    assert (trained.report["steps"], trained.report["num_train"]) == (31, 1500)


def test_fraction_of_an_epoch(data):
    trained = loop.train(data, linear(epochs=1.5), verbose=0)
    assert [row["step"] for row in trained.rows] == [15, 23]


def test_loss_that_is_not_a_number_is_an_error_that_says_what_to_do(data):
    config = linear(optimizer="sgd", learning_rate=1e30, epochs=2.0)
    with pytest.raises(errors.FailedError, match="--learning_rate"):
        loop.train(data, config, verbose=0)


def test_progressive_resolution_counts_what_it_costs(data):
    progressive = DataConfig(**{**data.as_dict(), "batch_size": 50, "resolutions": "16:0.5,32:0.5"})
    config = TrainConfig(precision="float32", max_steps=4)
    trained = loop.train(progressive, config, verbose=0)
    at = {size: flops.multiply_adds(trained.model, size) for size in (16, 32)}
    assert trained.report["train_petaflop"] == pytest.approx(6 * 100 * (at[16] + at[32]) / 1e15)


def test_several_steps_a_call_train_the_same(data):
    small = {"architecture": "speedrun", "widths": "8,8,8", "bottlenecks": "8,8,8", "epochs": 1.5}
    progressive = dataclasses.replace(data, resolutions="20:0.3,32:0.7")
    calls = []
    runs = []
    for steps_per_call in (1, 4):
        counting = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(batch))
        config = linear(**small, steps_per_call=steps_per_call)
        runs.append(loop.train(progressive, config, callbacks=[counting], verbose=0))
    assert_same(weights(runs[0]), weights(runs[1]))
    assert calls[:23] == [*range(15), *range(8)]
    # 7 of the 23 steps are at 20 pixels; no call crosses a change of resolution or the end of an epoch
    assert calls[23:] == [3, 6, 10, 14, 3, 7]
    assert timeless(runs[0].rows) == timeless(runs[1].rows)


def test_start_says_what_is_done_to_the_images(data, capsys):
    shown = {"augmentation": "original", "unaugmented_fraction": 0.0666667, "resolutions": "16:0.5,32:0.5"}
    loop.train(DataConfig(**{**data.as_dict(), **shown}), TrainConfig(precision="float32", max_steps=1), verbose=1)
    printed = capsys.readouterr().out
    assert "Rotation(max_degrees=90.0" in printed
    assert "1/15 of each example's views" in printed
    assert "16:0.5,32:0.5" in printed
    assert "an epoch: 1,500 views, 15 steps" in printed
