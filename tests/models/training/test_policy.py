"""What a run refuses before it begins, and when patience ends it."""

import dataclasses

import pytest
from keras import callbacks

from models.runs.folder import open_locked
from models.training import loop, policy, preconditions
from pipeline.common import errors
from pipeline.data_config import DataConfig
from tests.models.training.linear_runs import linear


def test_learning_rate_scheduler_against_our_schedule_is_refused(data):
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    with pytest.raises(errors.BadArgumentError, match=r"^schedule=.*LearningRateScheduler"):
        loop.train(data, linear(schedule="warmup_linear"), callbacks=[scheduler], verbose=0)


class SetsRate(callbacks.Callback):
    """An own callback that sets the learning rate, at one of three hooks."""

    def __init__(self, hook):
        super().__init__()
        setattr(self, hook, self._set)

    def _set(self, *arguments, **keywords):
        self.model.optimizer.learning_rate = 0.5


@pytest.mark.parametrize(
    ("hook", "values"),
    [
        ("on_train_begin", {"schedule": "warmup_linear"}),
        ("on_batch_end", {"schedule": "warmup_linear"}),
        ("on_epoch_begin", {"on_divergence": "rollback"}),  # it would undo the lower rate of a rollback
    ],
)
def test_own_callback_that_sets_the_rate_too_is_refused_by_name(data, hook, values):
    (field, value) = next(iter(values.items()))
    with pytest.raises(errors.BadArgumentError, match=rf"^{field}='{value}'.*SetsRate"):
        loop.train(data, linear(max_steps=1, **values), callbacks=[SetsRate(hook)], verbose=0)


@pytest.mark.parametrize(
    ("make", "values", "expected"),
    [
        # keras-team/keras#19179: all epochs are trained again.
        (lambda: callbacks.BackupAndRestore("/nowhere"), {}, "callbacks=BackupAndRestore: .*run="),
        (lambda: [[callbacks.SwapEMAWeights()]], {}, "callbacks=SwapEMAWeights: .*ema_decay"),
        (
            lambda: callbacks.EarlyStopping("val_accuracy"),
            {},
            "EarlyStopping: .*val_fine_accuracy.*'val_accuracy'",
        ),
        (
            lambda: callbacks.EarlyStopping(),
            {"num_validation": 0},
            "EarlyStopping: .*num_validation=0.*'val_loss'",
        ),
        (lambda: callbacks.ReduceLROnPlateau("val_acc"), {}, "ReduceLROnPlateau: .*'val_acc'"),
        (
            lambda: callbacks.ModelCheckpoint("a.keras", "val_f1", save_best_only=True),
            {},
            "ModelCheckpoint: .*f1",
        ),
        (
            lambda: callbacks.ModelCheckpoint("a.keras", save_best_only=True, save_freq=3),
            {},
            "ModelCheckpoint: .*'val_loss'",
        ),
    ],
)
def test_callback_that_would_have_no_effect_is_refused_by_name(data, make, values, expected):
    with pytest.raises(errors.BadArgumentError, match=expected):
        loop.train(dataclasses.replace(data, **values), linear(), callbacks=make(), verbose=0)


def test_resolutions_are_refused_where_the_network_has_one(data):
    progressive = DataConfig(**{**data.as_dict(), "resolutions": "16:0.5,32:0.5"})
    for refuse in (preconditions.check, loop.train):
        with pytest.raises(errors.BadArgumentError, match=r"^resolutions=16:0.5,32:0.5: .*linear.* 32 x 32"):
            refuse(progressive, linear())


@pytest.mark.parametrize("cut", [False, True])
def test_patience_ends_a_run_whose_validation_stalls_after_a_cut_too(data, tmp_path, monkeypatch, cut):
    """At a rate of 0 nothing improves on the first epoch: two more, and it ends."""
    config = linear(learning_rate=0.0, patience=2, epochs=9.0)
    with open_locked(str(tmp_path / "run"), {}, {}) as run:
        if cut:
            validate = loop._Loop._validate
            monkeypatch.setattr(loop._Loop, "_validate", lambda self: _cut_in_second(self, validate))
            with pytest.raises(KeyboardInterrupt):
                loop.train(data, config, run=run, verbose=0)
            monkeypatch.setattr(loop._Loop, "_validate", validate)
        trained = loop.train(data, config, run=run, verbose=0)
    assert len(trained.rows) == 3
    assert trained.report["epochs"] == 3.0


def _cut_in_second(training_loop, validate):
    if training_loop.progress.epoch == 1:
        raise KeyboardInterrupt
    return validate(training_loop)


@pytest.mark.parametrize(
    ("accuracies", "epochs"), [((0.1, 0.2, 0.3, 0.4), 4), ((0.1, 0.2, 0.1, 0.3), 4), ((0.1, 0.3, 0.2, 0.3, 0.4), 4)]
)
def test_patience_lets_a_run_that_improves_go_on(accuracies, epochs):
    """With a patience of 2: an improvement after one epoch without is enough, an equal is none."""
    rows = [{"validation_fine_accuracy": accuracy} for accuracy in accuracies]
    ends = [number for number in range(len(rows) + 1) if policy.has_stalled(linear(patience=2), rows[:number])]
    assert ends == [epochs] * (epochs < len(rows))


def test_patience_without_validation_is_refused(data):
    with pytest.raises(errors.BadArgumentError, match=r"^patience=2: .*num_validation=0"):
        preconditions.check(dataclasses.replace(data, num_validation=0), linear(patience=2))


@pytest.mark.parametrize("schedule", ["constant", "warmup_cosine"])
def test_epochs_that_are_only_allowed_cost_nothing(data, schedule):
    """The number of epochs was counted one by one, for minutes."""
    config = linear(learning_rate=0.0, patience=1, epochs=1e12, schedule=schedule)
    trained = loop.train(data, config, callbacks=None, verbose=0)
    assert len(trained.rows) == 2
    assert trained.report["epochs"] == 2.0
