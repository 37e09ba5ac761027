"""The loop with Keras's callbacks, its report, its epochs, and going on after a cut."""

import csv
import dataclasses
import json
import math
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import training
from models.config.training import TrainConfig
from models.reporting import flops
from models.runs import saved_model
from models.runs.folder import claim
from models.training import loop
from pipeline.common import errors
from pipeline.data_config import DataConfig

REPORT_KEYS = [
    "dataset",
    "num_train",
    "num_validation",
    "num_test",
    "preset",
    "precision",
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
    "peak_rss_mib",
    "num_parameters",
    "device",
    "versions",
    "git_commit",
]


@pytest.fixture
def data(tiny_data_dir) -> DataConfig:
    return DataConfig(dataset="shapes100_tiny", data_dir=tiny_data_dir, num_validation=500, batch_size=100)


def linear(**values) -> TrainConfig:
    """A network that trains in no time; 15 steps an epoch."""
    defaults = {
        "architecture": "linear",
        "precision": "float32",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "epochs": 3.0,
    }
    return TrainConfig(**{**defaults, **values})


def weights(trained: training.TrainResult) -> list[np.ndarray]:
    return trained.model.get_weights()


def assert_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)


def test_report_and_rows_keep_the_contract(data):
    trained = training.train(data, linear(), verbose=0)
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
    assert report["fine_accuracy"] == trained.rows[-1]["validation_fine_accuracy"]
    assert [row["step"] for row in trained.rows] == [15, 30, 45]
    assert trained.rows[-1]["train_fine_accuracy"] > 2 * trained.rows[0]["train_fine_accuracy"]
    assert json.loads(json.dumps(report)) == report


def test_same_seed_same_weights(data):
    config = linear(epochs=1.0)
    assert_same(weights(training.train(data, config, verbose=0)), weights(training.train(data, config, verbose=0)))


def test_validation_agrees_with_keras_on_the_same_images(data):
    from pipeline import batches, source

    trained = training.train(data, linear(epochs=1.0), verbose=0)
    hits = count = 0
    for batch in batches.eval_batches(data, source.open_builder(data), "validation"):
        answers = trained.model.predict(batch["image"], verbose=0)["fine"].argmax(1)
        hits += int(((answers == batch["fine"]) & batch["mask"]).numpy().sum())
        count += int(tf.reduce_sum(tf.cast(batch["mask"], tf.int32)))
    assert (count, trained.report["fine_accuracy"]) == (500, pytest.approx(hits / 500))


def test_single_head_reports_null_for_the_other(data):
    report = training.train(data, linear(heads="coarse", max_steps=1), verbose=0).report
    assert report["coarse_accuracy"] is not None
    assert report["fine_accuracy"] is report["fine_loss"] is report["coarse_from_fine_accuracy"] is None


def test_no_holdout_trains_on_everything_and_reports_null(data):
    everything = DataConfig(**{**data.as_dict(), "num_validation": 0})
    report = training.train(everything, linear(epochs=1.0), verbose=0).report
    assert (report["num_train"], report["steps"], report["fine_accuracy"]) == (2000, 20, None)


def test_virtual_examples_make_a_longer_epoch_of_new_views(data):
    virtual = DataConfig(**{**data.as_dict(), "virtual_examples": 3100})
    trained = training.train(virtual, linear(epochs=1.0), verbose=0)
    assert (trained.report["steps"], trained.report["num_train"]) == (31, 1500)


def test_fraction_of_an_epoch(data):
    trained = training.train(data, linear(epochs=1.5), verbose=0)
    assert [row["step"] for row in trained.rows] == [15, 23]


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
    trained = training.train(data, linear(epochs=6.0), callbacks=[worsen, stopping], verbose=0)
    assert stopping.stopped_epoch == 1
    assert len(trained.rows) == 2
    assert trained.report["steps"] == 30
    assert_same(weights(trained), worsen.after_first)
    assert trained.report["fine_accuracy"] == trained.rows[0]["validation_fine_accuracy"]


def test_learning_rate_scheduler_sets_the_rate_that_trains(data):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: [1e-3, 0.0][epoch])
    seen = []
    keeper = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(keeper.model.get_weights()))
    trained = training.train(data, linear(epochs=2.0), callbacks=[scheduler, keeper], verbose=0)
    assert [row["learning_rate"] for row in trained.rows] == pytest.approx([1e-3, 0.0])
    assert_same(seen[0], seen[1])  # at rate 0 nothing moves


def test_learning_rate_scheduler_against_our_schedule_is_refused(data):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    with pytest.raises(errors.BadArgumentError, match="LearningRateScheduler both set the learning rate"):
        training.train(data, linear(schedule="warmup_linear"), callbacks=[scheduler], verbose=0)


def test_csv_logger_writes_an_epoch_a_line(data, tmp_path):
    path = tmp_path / "log.csv"
    trained = training.train(data, linear(epochs=2.0), callbacks=[keras.callbacks.CSVLogger(path)], verbose=0)
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
    trained = training.train(data, linear(epochs=3.0), callbacks=[keeper, watcher], verbose=0)
    accuracies = [row["validation_fine_accuracy"] for row in trained.rows]
    assert keeper.best == max(accuracies)
    trained.model.load_weights(path)
    assert_same(weights(trained), after[accuracies.index(max(accuracies))])


def test_tensorboard_writes_train_and_validation(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    trained = training.train(data, linear(epochs=2.0), callbacks=[board], verbose=0)
    accumulator = EventAccumulator(str(tmp_path / "validation"))
    accumulator.Reload()
    tag = "epoch_fine_accuracy"
    assert tag in accumulator.Tags()["tensors"]
    values = [float(tf.make_ndarray(event.tensor_proto)) for event in accumulator.Tensors(tag)]
    assert values == pytest.approx([row["validation_fine_accuracy"] for row in trained.rows])


def test_progress_bar_shows_speed_and_accuracies(data, capsys):
    training.train(data, linear(epochs=1.0), verbose=1)
    shown = capsys.readouterr().out
    for word in ("15/15", "images/s", "fine", "val coarse"):
        assert word in shown


def test_validation_that_is_not_a_number_is_an_error_too(data):
    class Spoil(keras.callbacks.Callback):
        """Ruin the weights behind the last training step, where the training loss does not see it."""

        def on_test_begin(self, logs=None):
            self.model.set_weights([np.full_like(value, np.nan) for value in self.model.get_weights()])

    with pytest.raises(errors.DivergedError, match="loss is nan"):
        training.train(data, linear(epochs=1.0), callbacks=[Spoil()], verbose=0)


def test_callback_that_acts_on_batches_sees_every_step(data):
    seen = []
    watcher = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    training.train(data, linear(epochs=1.0), callbacks=[watcher], verbose=0)
    assert [batch for batch, _ in seen] == list(range(15))
    assert len({loss for _, loss in seen}) == 15


def test_long_epoch_is_checkpointed_within(data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    steps = []
    monkeypatch.setattr(loop.checkpoints, "save", lambda path, variables, progress: steps.append(progress.step))
    with claim(str(tmp_path / "run"), {}, {}) as run:
        training.train(data, linear(epochs=1.0), run=run, verbose=0)
    assert steps == [*range(1, 16), 15, 15]  # each step, the epoch's end, the run's end


def test_loss_that_is_not_a_number_is_an_error_that_says_what_to_do(data):
    config = linear(optimizer="sgd", learning_rate=1e30, epochs=2.0)
    with pytest.raises(errors.FailedError, match=r"training has diverged; try a lower --learning_rate"):
        training.train(data, config, verbose=0)


@pytest.mark.parametrize("cut_at", [7, 15, 22])
def test_cut_run_goes_on_and_ends_as_if_it_had_not_been_cut(data, tmp_path, cut_at):
    config = linear(epochs=2.0)
    whole = training.train(data, config, verbose=0)
    folder = str(tmp_path / "run")
    identity = {"seed": 0}

    class Interrupt(keras.callbacks.Callback):
        """Ask to stop after a number of steps, as Ctrl-C does."""

        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            import os
            import signal

            self.steps += 1
            if self.steps == cut_at:
                os.kill(os.getpid(), signal.SIGINT)

    with (
        claim(folder, identity, identity) as run,
        pytest.raises(errors.InterruptedRunError, match=f"step {cut_at} of 30"),
    ):
        training.train(data, config, run=run, callbacks=[Interrupt()], verbose=0)
    with claim(folder, identity, identity) as run:
        resumed = training.train(data, config, run=run, verbose=0)
        assert run.is_finished
        assert run.rows() == resumed.rows
        assert_same(saved_model.load(run.model).get_weights(), weights(resumed))
    assert_same(weights(resumed), weights(whole))
    timeless = [[{k: v for k, v in row.items() if "second" not in k} for row in t.rows] for t in (resumed, whole)]
    assert timeless[0] == timeless[1]
    assert resumed.report["steps"] == 30


def test_run_killed_between_its_last_checkpoint_and_its_report_reports(data, tmp_path):
    config, identity = linear(epochs=1.0), {"seed": 0}
    with claim(str(tmp_path), identity, identity) as run:
        first = training.train(data, config, run=run, verbose=0)
        (tmp_path / "report.json").unlink()
        (tmp_path / "model.keras").unlink()
        again = training.train(data, config, run=run, verbose=0)
        assert run.is_finished
    assert again.report["fine_accuracy"] == first.report["fine_accuracy"]
    assert again.report["train_seconds"] == first.report["train_seconds"]
    assert_same(weights(again), weights(first))


def test_saved_and_exported_models_do_not_augment(data, tmp_path):
    augmented = DataConfig(**{**data.as_dict(), "augmentation": "study", "batch_size": 50})
    with claim(str(tmp_path / "run"), {"seed": 0}, {"seed": 0}) as run:
        trained = training.train(augmented, linear(max_steps=2), run=run, verbose=0)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    expected = trained.model(images)["fine"].numpy()
    loaded = keras.saving.load_model(tmp_path / "run" / "model.keras")
    trained.model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    for _ in range(2):
        np.testing.assert_array_equal(loaded(images)["fine"], expected)
        np.testing.assert_allclose(exported.serve(images.astype(np.float32))["fine"], expected, rtol=1e-5, atol=1e-5)
    assert not random_operations(exported)
    augmenting = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.RandomFlip()])
    augmenting.export(tmp_path / "augmenting", verbose=False)
    assert random_operations(tf.saved_model.load(tmp_path / "augmenting"))  # so they would be seen


def random_operations(exported) -> set[str]:
    graph = exported.signatures["serving_default"].graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return {node.op for node in nodes if "Random" in node.op}


def test_progressive_resolution_counts_what_it_costs(data):
    progressive = DataConfig(**{**data.as_dict(), "batch_size": 50, "resolutions": "16:0.5,32:0.5"})
    config = TrainConfig(precision="float32", max_steps=4)
    trained = training.train(progressive, config, verbose=0)
    at = {size: flops.multiply_adds(trained.model, size) for size in (16, 32)}
    assert trained.report["train_petaflop"] == pytest.approx(6 * 100 * (at[16] + at[32]) / 1e15)


def test_several_steps_a_call_train_the_same(data):
    small = {"architecture": "fast", "widths": "8,8,8", "bottlenecks": "8,8,8", "optimizer": "muon", "epochs": 1.5}
    progressive = dataclasses.replace(data, resolutions="20:0.3,32:0.7")
    calls = []
    runs = []
    for steps_per_call in (1, 4):
        counting = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(batch))
        config = linear(**small, steps_per_call=steps_per_call)
        runs.append(training.train(progressive, config, callbacks=[counting], verbose=0))
    assert_same(weights(runs[0]), weights(runs[1]))
    assert calls[:23] == [*range(15), *range(8)]
    # 7 of the 23 steps are at 20 pixels; no call crosses a change of resolution or the end of an epoch
    assert calls[23:] == [3, 6, 10, 14, 3, 7]
    ours, theirs = ([{**row, "train_seconds": 0, "examples_per_second": 0} for row in run.rows] for run in runs)
    assert ours == theirs


def test_resolutions_are_refused_where_the_network_has_one(data):
    progressive = DataConfig(**{**data.as_dict(), "resolutions": "16:0.5,32:0.5"})
    for refuse in (training.check, training.train):
        with pytest.raises(errors.BadArgumentError, match="architecture 'linear' takes 32 x 32 pixels alone"):
            refuse(progressive, linear())


def test_start_says_what_is_done_to_the_images(data, capsys):
    shown = {"augmentation": "study", "original_fraction": 0.0666667, "resolutions": "16:0.5,32:0.5"}
    training.train(DataConfig(**{**data.as_dict(), **shown}), TrainConfig(precision="float32", max_steps=1), verbose=1)
    printed = capsys.readouterr().out
    assert "Rotation(max_degrees=90.0" in printed
    assert "1/15 of each example's views as they are" in printed
    assert "16:0.5,32:0.5" in printed
    assert "an epoch: 1,500 views, 15 steps" in printed


def test_whitening_is_computed_from_the_training_images_and_kept_when_a_run_goes_on(data, tmp_path):
    small = {"architecture": "fast", "widths": "8,8,8", "bottlenecks": "8,8,8", "optimizer": "muon"}
    config = TrainConfig(precision="float32", epochs=1.0, **small)

    def stem(trained: training.TrainResult) -> np.ndarray:
        return trained.model.get_layer("whitening").get_weights()[0]

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                os.kill(os.getpid(), signal.SIGINT)

    whole = training.train(data, config, verbose=0)
    identity = {"seed": 0}
    with claim(str(tmp_path), identity, identity) as run, pytest.raises(errors.InterruptedRunError):
        training.train(data, config, run=run, callbacks=[Stop()], verbose=0)
    with claim(str(tmp_path), identity, identity) as run:
        resumed = training.train(data, config, run=run, verbose=0)
    assert_same(weights(resumed), weights(whole))
    assert np.abs(stem(whole)).max() > 1.0  # faint components are amplified, as no initialiser does
    np.testing.assert_array_equal(stem(whole)[..., :12], -stem(whole)[..., 12:])


@pytest.mark.parametrize("cut", [False, True])
def test_patience_ends_a_run_whose_validation_stalls_after_a_cut_too(data, tmp_path, monkeypatch, cut):
    """At a rate of 0 nothing improves on the first epoch: two more, and it ends."""
    config = linear(learning_rate=0.0, patience=2, epochs=9.0)
    with claim(str(tmp_path / "run"), {}, {}) as run:
        if cut:
            validate = loop._Loop._validate
            monkeypatch.setattr(loop._Loop, "_validate", lambda self: _cut_in_second(self, validate))
            with pytest.raises(KeyboardInterrupt):
                training.train(data, config, run=run, verbose=0)
            monkeypatch.setattr(loop._Loop, "_validate", validate)
        trained = training.train(data, config, run=run, verbose=0)
    assert len(trained.rows) == 3
    assert trained.report["epochs"] == 3.0


def _cut_in_second(training_loop, validate):
    if training_loop.progress.epoch == 1:
        raise KeyboardInterrupt
    return validate(training_loop)


@pytest.mark.parametrize(
    ("accuracies", "epochs"), [((0.1, 0.2, 0.3, 0.4), 4), ((0.1, 0.2, 0.1, 0.3), 4), ((0.1, 0.3, 0.2, 0.3, 0.4), 4)]
)
def test_patience_lets_a_run_that_improves_go_on(data, monkeypatch, accuracies, epochs):
    """With a patience of 2: an improvement after one epoch without is enough, an equal is none."""
    coming = iter(accuracies)
    validate = loop._Loop._validate
    monkeypatch.setattr(loop._Loop, "_validate", lambda self: {**validate(self), "fine_accuracy": next(coming)})
    rows = training.train(data, linear(patience=2, epochs=4.0 if epochs == len(accuracies) else 9.0), verbose=0).rows
    assert len(rows) == epochs


def test_patience_without_validation_is_refused(data):
    with pytest.raises(errors.BadArgumentError, match="patience=2 and num_validation=0: nothing is held out"):
        training.check(dataclasses.replace(data, num_validation=0), linear(patience=2))
