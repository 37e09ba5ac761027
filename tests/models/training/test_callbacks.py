"""Keras's callbacks work in the loop as in `fit`."""

import csv
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.training import loop
from pipeline.common import errors
from tests.models.training.linear_runs import assert_same, linear, weights


def test_early_stopping_ends_the_run_and_puts_the_best_weights_back(data):
    class Worsen(keras.callbacks.Callback):
        """Spoil the weights after the first epoch, so that the first stays the best."""

        def on_epoch_begin(self, epoch, logs=None):
            if epoch:
                self.model.set_weights([np.zeros_like(value) for value in self.model.get_weights()])

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.after_first = self.model.get_weights()

    worsen = Worsen()
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=1, min_delta=10.0, restore_best_weights=True)
    stopping.best = math.inf
    trained = loop.train(data, linear(epochs=6.0), callbacks=[worsen, stopping], verbose=0)
    assert stopping.stopped_epoch == 1
    assert len(trained.rows) == 2
    assert trained.report["steps"] == 30
    assert_same(weights(trained), worsen.after_first)
    assert trained.report["fine_accuracy"] == trained.rows[0]["validation_fine_accuracy"]


def test_learning_rate_scheduler_sets_the_rate_that_trains(data):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: [1e-3, 0.0][epoch])
    seen = []
    keeper = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(keeper.model.get_weights()))
    trained = loop.train(data, linear(epochs=2.0), callbacks=[scheduler, keeper], verbose=0)
    assert [row["learning_rate"] for row in trained.rows] == pytest.approx([1e-3, 0.0])
    assert_same(seen[0], seen[1])  # at rate 0 nothing moves


def test_csv_logger_writes_an_epoch_a_line(data, tmp_path):
    path = tmp_path / "log.csv"
    trained = loop.train(data, linear(epochs=2.0), callbacks=[keras.callbacks.CSVLogger(path)], verbose=0)
    with path.open() as file:
        lines = list(csv.DictReader(file))
    assert [line["epoch"] for line in lines] == ["0", "1"]
    found = [float(line["val_fine_accuracy"]) for line in lines]
    assert found == pytest.approx([row["validation_fine_accuracy"] for row in trained.rows])


def test_model_checkpoint_keeps_the_best_epoch(data, tmp_path):
    path = tmp_path / "best.weights.h5"
    keeper = keras.callbacks.ModelCheckpoint(
        path, monitor="val_fine_accuracy", mode="max", save_best_only=True, save_weights_only=True
    )
    after = []
    watcher = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: after.append(watcher.model.get_weights()))
    trained = loop.train(data, linear(epochs=3.0), callbacks=[keeper, watcher], verbose=0)
    accuracies = [row["validation_fine_accuracy"] for row in trained.rows]
    assert keeper.best == max(accuracies)
    trained.model.load_weights(path)
    assert_same(weights(trained), after[accuracies.index(max(accuracies))])


def test_tensorboard_writes_train_and_validation(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    trained = loop.train(data, linear(epochs=2.0), callbacks=[board], verbose=0)
    accumulator = EventAccumulator(str(tmp_path / "validation"))
    accumulator.Reload()
    tag = "epoch_fine_accuracy"
    assert tag in accumulator.Tags()["tensors"]
    values = [float(tf.make_ndarray(event.tensor_proto)) for event in accumulator.Tensors(tag)]
    assert values == pytest.approx([row["validation_fine_accuracy"] for row in trained.rows])


def test_progress_bar_shows_speed_and_accuracies(data, capsys):
    loop.train(data, linear(epochs=1.0), verbose=1)
    shown = capsys.readouterr().out
    for word in ("15/15", "images/s", "fine", "val coarse"):
        assert word in shown


def test_validation_that_is_not_a_number_is_an_error_too(data):
    class Spoil(keras.callbacks.Callback):
        """Ruin the weights behind the last training step, where the training loss does not see it."""

        def on_test_begin(self, logs=None):
            self.model.set_weights([np.full_like(value, np.nan) for value in self.model.get_weights()])

    with pytest.raises(errors.DivergedError, match="loss is nan"):
        loop.train(data, linear(epochs=1.0), callbacks=[Spoil()], verbose=0)


def test_callback_that_acts_on_batches_sees_every_step(data):
    seen = []
    watcher = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    loop.train(data, linear(epochs=1.0), callbacks=[watcher], verbose=0)
    assert [batch for batch, _ in seen] == list(range(15))
    assert len({loss for _, loss in seen}) == 15
