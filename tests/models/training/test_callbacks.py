"""Keras's callbacks work in the loop as in `fit`."""

import csv
import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.training import callbacks, loop
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


@pytest.mark.parametrize(
    ("hook", "steps"), [("on_train_begin", 1), ("on_batch_end", 1), ("on_test_batch_begin", 15), ("on_epoch_end", 15)]
)
def test_callback_stops_training_at_any_hook(data, hook, steps):
    """tensorflow/tensorflow#41174 (no effect at a batch's end), tensorflow/tensorflow#37587 (`predict` undid it).

    As in `fit`, the step, the validation or the epoch under way is completed.
    """
    stop = keras.callbacks.Callback()

    def stop_training(*arguments, **keywords):
        stop.model.stop_training = True
        stop.model.predict(np.zeros((1, 32, 32, 3), np.uint8), verbose=0)

    setattr(stop, hook, stop_training)
    assert loop.train(data, linear(epochs=3.0), callbacks=stop, verbose=0).report["steps"] == steps


def test_callbacks_see_each_validation_batch_and_one_another_s_logs(data):
    seen: dict[str, list] = {"begun": [], "ended": [], "tests": [], "epochs": []}

    class AddsToLogs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["own"] = -float(epoch)

    class Watches(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            seen["tests"].append(self.params["epochs"])

        def on_test_batch_begin(self, batch, logs=None):
            seen["begun"].append(batch)

        def on_test_batch_end(self, batch, logs=None):
            seen["ended"].append((batch, logs["fine_loss"]))

        def on_epoch_end(self, epoch, logs=None):
            seen["epochs"].append((logs["own"], logs["val_fine_loss"]))

    stopping = keras.callbacks.EarlyStopping("own", mode="max", patience=1)
    data = dataclasses.replace(data, num_validation=1000)
    trained = loop.train(data, linear(epochs=9.0), callbacks=[AddsToLogs(), [Watches(), stopping]], verbose=0)
    assert (len(trained.rows), stopping.stopped_epoch) == (2, 1)
    assert seen["begun"] == [0, 1] * 2
    assert [batch for batch, _ in seen["ended"]] == [0, 1] * 2
    assert [value for value, _ in seen["epochs"]] == [0.0, -1.0]
    assert seen["ended"][1][1] == seen["epochs"][0][1] == trained.rows[0]["validation_fine_loss"]
    assert seen["tests"] == [9, 9]
    assert trained.model.history.history["own"] == [0.0, -1.0]


def test_mode_that_a_callback_finds_by_itself_is_of_the_metric(data, tmp_path):
    accuracy, loss = keras.callbacks.EarlyStopping("val_fine_accuracy"), keras.callbacks.EarlyStopping("val_fine_loss")
    reduce = keras.callbacks.ReduceLROnPlateau("coarse_from_fine_accuracy")
    keeper = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_coarse_accuracy", save_best_only=True)
    trained = loop.train(data, linear(epochs=2.0), callbacks=[accuracy, loss, reduce, keeper], verbose=0)
    assert keeper.best == max(row["validation_coarse_accuracy"] for row in trained.rows)
    assert accuracy.best == max(row["validation_fine_accuracy"] for row in trained.rows)
    assert loss.best == min(row["validation_fine_loss"] for row in trained.rows)


@pytest.mark.parametrize("averages", [{}, {"ema_decay": 0.9}])
@pytest.mark.parametrize("hook", ["on_epoch_end", "on_test_begin"])
def test_weights_that_a_callback_sets_stay(data, averages, hook):
    """Also where an average of the weights is evaluated: it put the former ones back."""
    setter = keras.callbacks.Callback()
    setattr(
        setter, hook, lambda *_, **__: setter.model.set_weights([value * 0 for value in setter.model.get_weights()])
    )
    trained = loop.train(data, linear(epochs=1.0, **averages), callbacks=[setter], verbose=0)
    assert not any(value.any() for value in weights(trained))
    if hook == "on_test_begin":
        assert trained.rows[0]["validation_fine_loss"] == pytest.approx(math.log(100), abs=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_callback_sets_the_rate_where_no_schedule_does(data, precision):
    class Warm(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.01 * (batch + 1)

    trained = loop.train(data, linear(epochs=1.0, precision=precision), callbacks=[Warm()], verbose=0)
    assert trained.rows[0]["learning_rate"] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("deadline", "printed"),
    [
        # Steps 1 to 4 of 30 have taken 6 s, and 25 are left.
        (30.0, ["max_minutes: not enough; the training takes about 38 s more, 14 s are left"]),
        # The next epoch's begin shows that validation takes 20 s: step 10 of 30, after 9 steps in 32 s.
        (60.0, ["max_minutes: not enough; the training takes about 71 s more, 18 s are left"]),
        (1000.0, []),
    ],
)
def test_deadline_that_a_training_will_miss_is_announced_early(deadline, printed, capsys):
    moments = [(0, 0, 0.0), (0, 1, 10.0), (0, 4, 14.0), (0, 5, 16.0), (0, 6, 17.0), (1, 0, 42.0), (1, 1, 43.0)]
    notice = callbacks.DeadlineNotice(deadline, clock=iter(moment for *_, moment in moments).__next__)
    for epoch, batch, _ in moments:
        notice.set_params({"first_step": 10 * epoch, "total_steps": 30})
        if batch == 0:
            notice.on_epoch_begin(epoch)
        notice.on_train_batch_begin(batch)
    assert capsys.readouterr().out.split("\n")[1::2] == printed
