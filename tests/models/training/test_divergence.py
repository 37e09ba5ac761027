"""What counts as divergence, and what a run does about it: it stops, or returns to its last good epoch."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from models.config.training import TrainConfig
from models.runs import checkpoints
from models.runs.folder import open_locked
from models.training import loop, policy
from pipeline.common import errors
from tests.descriptions import CIFAR100
from tests.models.training.linear_runs import assert_same, linear, weights

GUESSING = {"both": math.log(100) + 0.5 * math.log(20), "fine": math.log(100), "coarse": math.log(20)}
ABSURD = 1e4
# At this rate the losses of the linear network explode, at half of it they do not.
TOO_FAST = {"optimizer": "sgd", "learning_rate": 600.0, "epochs": 2.0}


def rows(*losses: tuple[float, float | None], steps: int = 1000) -> list[dict[str, float | None]]:
    return [
        {"epoch": place, "step": steps * place, "train_loss": train, "validation_loss": validation}
        for place, (train, validation) in enumerate(losses, 1)
    ]


@pytest.mark.parametrize(
    ("losses", "is_last"),
    [
        ([(ABSURD, ABSURD)], False),
        ([(4.0, 4.0), (ABSURD, 4.0), (ABSURD, 4.0)], False),
        ([(4.0, 4.0), (4.0, ABSURD)], True),  # averaged weights
        ([(4.0, None), (ABSURD, None)], True),
        ([(ABSURD, None), (ABSURD, None)], False),
    ],
)
def test_absurd_losses_are_divergence(losses, is_last):
    with pytest.raises(errors.DivergedError, match=r"_loss is 1e\+04 in epoch \d"):
        policy.check_losses(TrainConfig(), CIFAR100.classes, rows(*losses), is_last)


@pytest.mark.parametrize(
    ("losses", "is_last"),
    [
        ([(5000.0, 5000.0)], True),  # high, and not absurd
        ([(ABSURD, 4.0)], True),  # the mean of a spike from which training has recovered
        ([(ABSURD, None)], False),
        ([(ABSURD, None), (4.0, None)], True),
        # Moving statistics lag behind the weights: tensorflow/tensorflow#36446.
        ([(0.4, ABSURD), (0.1, ABSURD), (0.03, ABSURD)], False),
        ([(4.0, ABSURD), (3.0, 4.0)], True),
        ([(4.0, ABSURD), (ABSURD, 4.0)], True),
    ],
)
def test_what_recovers_is_no_divergence(losses, is_last):
    policy.check_losses(TrainConfig(), CIFAR100.classes, rows(*losses), is_last)


def test_moving_statistics_may_lag_in_the_first_steps():
    policy.check_losses(TrainConfig(), CIFAR100.classes, rows((4.0, 1e6), steps=2), is_last=True)
    with pytest.raises(errors.DivergedError, match="validation_loss is 1e"):
        policy.check_losses(TrainConfig(), CIFAR100.classes, rows((4.0, 1e8), steps=2), is_last=True)


def test_first_two_steps_of_quick_are_no_divergence(data):
    config = TrainConfig(precision="float32", max_steps=2)
    trained = loop.train(data.replace(batch_size=16, num_validation=100), config, verbose=0)
    assert trained.report["steps"] == 2


@pytest.mark.parametrize("heads", ["both", "fine", "coarse"])
def test_limit_follows_the_heads(heads):
    config = TrainConfig(heads=heads)
    below, above = (rows((factor * GUESSING[heads], None)) for factor in (999, 1001))
    assert (
        policy.absurd_losses(config, CIFAR100.classes, below[0]),
        len(policy.absurd_losses(config, CIFAR100.classes, above[0])),
    ) == ({}, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"sam_radius": 1e12, "fine_hidden_layers": 1, "optimizer": "sgd", "epochs": 1.0},
        {"ema_decay": 0.9, "optimizer": "sgd", "learning_rate": 1e3, "epochs": 1.0},
        {"learning_rate": 1e6, "epochs": 1.0},
        {"optimizer": "sgd", "learning_rate": 1e30, "epochs": 1.0},  # not finite
    ],
)
def test_run_with_an_absurd_loss_ends_with_an_error(data, tmp_path, values):
    with open_locked(str(tmp_path / "run"), {}, {}) as run:
        for _ in range(1 + ("ema_decay" in values)):  # the same command again does not finish it either
            with pytest.raises(errors.DivergedError, match=r"loss is .*--learning_rate or --on_divergence=rollback"):
                loop.train(data, linear(**values), run=run, verbose=0)
        assert not run.is_finished


def test_state_that_has_diverged_is_not_saved(data, tmp_path, monkeypatch):
    """A checkpoint of weights that are not numbers would replace the last sound one: Rikorose/DeepFilterNet#30."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with open_locked(str(tmp_path / "run"), {}, {}) as run:
        with pytest.raises(errors.DivergedError, match="not finite"):
            loop.train(data, linear(optimizer="sgd", learning_rate=1e30), run=run, verbose=0)
        assert all(np.isfinite(value).all() for value in checkpoints.load(run.checkpoint).values)


def test_last_update_is_checked_without_validation(data):
    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.set_weights([np.full_like(value, np.inf) for value in self.model.get_weights()])

    everything = dataclasses.replace(data, num_validation=0)
    with pytest.raises(errors.DivergedError, match="not finite"):
        loop.train(everything, linear(max_steps=2), callbacks=[Spoil()], verbose=0)


def test_large_regularisation_is_no_divergence(data):
    report = loop.train(data, linear(fine_l2=1e4, learning_rate=1e-6, max_steps=1), verbose=0).report
    assert report["loss"] < 100
    assert report["rollbacks"] == []


@pytest.mark.parametrize(
    "values",
    [
        {"schedule": "constant"},
        {"schedule": "warmup_cosine", "optimizer": "muon"},
        {"schedule": "warmup_linear", "ema_decay": 0.9, "steps_per_call": 4, "learning_rate": 2000.0},
        {"precision": "mixed_float16"},
    ],
)
def test_rollback_lowers_the_rate_and_is_reported(data, capsys, values):
    config = linear(**{**TOO_FAST, **values}, on_divergence="rollback")
    trained = loop.train(data, config, verbose=2)
    rollbacks = trained.report["rollbacks"]
    assert 1 <= len(rollbacks) <= 3
    multiplier = 0.5 ** len(rollbacks)
    assert rollbacks[-1]["learning_rate_multiplier"] == multiplier
    assert trained.report["loss"] < 5000
    assert [row["epoch"] for row in trained.rows] == [1, 2]
    assert all(entry["good_epoch"] < entry["epoch"] <= 2 for entry in rollbacks)
    printed = capsys.readouterr().out
    assert f"{multiplier:g} times --learning_rate" in printed
    if values.get("schedule", "constant") == "constant":
        assert trained.rows[-1]["learning_rate"] == 600.0 * multiplier


def test_run_that_rolled_back_equals_one_at_the_lower_rate(data):
    rolled_back = loop.train(data, linear(**TOO_FAST, on_divergence="rollback"), verbose=0)
    multiplier = rolled_back.report["rollbacks"][-1]["learning_rate_multiplier"]
    assert {entry["good_epoch"] for entry in rolled_back.report["rollbacks"]} == {0}
    slower = loop.train(data, linear(**{**TOO_FAST, "learning_rate": 600.0 * multiplier}), verbose=0)
    assert_same(weights(rolled_back), weights(slower))


def test_three_rollbacks_are_all(data):
    config = linear(optimizer="sgd", learning_rate=1e30, on_divergence="rollback")
    with pytest.raises(errors.DivergedError, match="after 3 rollbacks"):
        loop.train(data, config, verbose=0)


class Cut(keras.callbacks.Callback):
    """Cuts the run at a step of this call."""

    def __init__(self, cut_at: int) -> None:
        super().__init__()
        self.cut_at, self.calls = cut_at, 0

    def on_train_batch_end(self, batch, logs=None):
        self.calls += 1
        if self.calls == self.cut_at:
            raise KeyboardInterrupt


# The second epoch is the first to diverge.
RISES = {"schedule": "warmup_linear", "warmup_fraction": 0.9, "learning_rate": 800.0, "on_divergence": "rollback"}


@pytest.fixture(scope="module")
def whole(data) -> loop.TrainResult:
    whole = loop.train(data, linear(optimizer="sgd", epochs=2.0, **RISES), verbose=0)
    assert {entry["good_epoch"] for entry in whole.report["rollbacks"]} == {1}
    return whole


@pytest.mark.parametrize("is_damaged", [False, True])
def test_cut_run_rolls_back_as_one_that_was_not_cut(data, whole, tmp_path, monkeypatch, is_damaged):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    config = linear(optimizer="sgd", epochs=2.0, **RISES)
    with open_locked(str(tmp_path / "run"), {}, {}) as run:
        for cut_at in (22, 1, 15):  # in the epoch that diverges; at once; after the rollback
            with pytest.raises(KeyboardInterrupt):
                loop.train(data, config, run=run, callbacks=[Cut(cut_at)], verbose=0)
            if is_damaged and cut_at == 22:
                run.good_checkpoint.write_bytes(b"")
        resumed = loop.train(data, config, run=run, verbose=0)
        assert not list(run.path.glob("checkpoint/*good*"))
    assert_same(weights(resumed), weights(whole))
    assert resumed.report["rollbacks"] == whole.report["rollbacks"]
    assert [row["train_loss"] for row in resumed.rows] == [row["train_loss"] for row in whole.rows]


def test_scheduler_callback_would_undo_a_rollback(data):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    with pytest.raises(errors.BadArgumentError, match=r"^on_divergence='rollback'.*LearningRateScheduler"):
        loop.train(data, linear(on_divergence="rollback"), callbacks=[scheduler], verbose=0)


class Spoil(keras.callbacks.Callback):
    """Multiplies the weights at a hook of the second epoch."""

    def __init__(self, hook: str) -> None:
        super().__init__()
        setattr(self, hook, self._spoil)

    def _spoil(self, *_arguments, **_logs):
        if self.model.optimizer.iterations in (16, 30):
            self.model.set_weights([1e6 * value for value in self.model.get_weights()])


@pytest.mark.parametrize("hook", ["on_test_begin", "on_train_batch_begin"])
def test_weights_that_early_stopping_put_back_are_no_divergence(data, hook):
    """The epoch that ended the run diverged; the weights of the one before are the model's."""
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    trained = loop.train(data, linear(epochs=2.0), callbacks=[Spoil(hook), stop], verbose=0)
    assert trained.rows[-1]["validation_loss"] > ABSURD > 100 > trained.report["loss"]


class SpoilsAtTheEnd(keras.callbacks.Callback):
    """Gives the model absurd weights when a training of a given rate ends."""

    def on_train_end(self, logs=None):
        if float(self.model.optimizer.learning_rate) == 1.0:
            self.model.set_weights([1e9 * value for value in self.model.get_weights()])


def test_divergence_at_the_end_of_training_is_treated_as_any(data, tmp_path):
    config = linear(optimizer="sgd", learning_rate=1.0, epochs=1.0)
    with pytest.raises(errors.DivergedError, match=r"validation_loss is .*--on_divergence=rollback"):
        loop.train(data, config, callbacks=[SpoilsAtTheEnd()], verbose=0)
    given = [SpoilsAtTheEnd(), keras.callbacks.CSVLogger(tmp_path / "rows.csv")]
    report = loop.train(data, config.replace(on_divergence="rollback"), callbacks=given, verbose=0).report
    assert (tmp_path / "rows.csv").read_text().count("\n") == 2  # head and row
    assert report["rollbacks"] == [{"epoch": 1, "good_epoch": 1, "learning_rate_multiplier": 0.5}]
    assert report["loss"] < 100


def test_run_that_a_callback_stops_in_its_absurd_epoch_has_diverged(data):
    """Nothing is held out that could show whether the callback put other weights back."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    config = linear(optimizer="sgd", learning_rate=3e3)
    with pytest.raises(errors.DivergedError, match="train_loss"):
        loop.train(data.replace(num_validation=0), config, callbacks=[Stop()], verbose=0)
