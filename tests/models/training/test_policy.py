"""What a run refuses before it begins, and when patience ends it."""

import dataclasses

import keras
import pytest

from models.runs.folder import open_locked
from models.training import loop
from pipeline.common import errors
from pipeline.data_config import DataConfig
from tests.models.training.linear_runs import linear


def test_learning_rate_scheduler_against_our_schedule_is_refused(data):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    with pytest.raises(errors.BadArgumentError, match=r"^schedule=.*LearningRateScheduler"):
        loop.train(data, linear(schedule="warmup_linear"), callbacks=[scheduler], verbose=0)


def test_resolutions_are_refused_where_the_network_has_one(data):
    progressive = DataConfig(**{**data.as_dict(), "resolutions": "16:0.5,32:0.5"})
    for refuse in (loop.check, loop.train):
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
def test_patience_lets_a_run_that_improves_go_on(data, monkeypatch, accuracies, epochs):
    """With a patience of 2: an improvement after one epoch without is enough, an equal is none."""
    coming = iter(accuracies)
    validate = loop._Loop._validate
    monkeypatch.setattr(loop._Loop, "_validate", lambda self: {**validate(self), "fine_accuracy": next(coming)})
    rows = loop.train(data, linear(patience=2, epochs=4.0 if epochs == len(accuracies) else 9.0), verbose=0).rows
    assert len(rows) == epochs


def test_patience_without_validation_is_refused(data):
    with pytest.raises(errors.BadArgumentError, match=r"^patience=2: .*num_validation=0"):
        loop.check(dataclasses.replace(data, num_validation=0), linear(patience=2))
