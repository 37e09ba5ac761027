"""Checks before a run, and the end of a run whose validation accuracy has stalled or whose loss has diverged."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from models import metrics
from models.config.training import TrainConfig
from models.training.callbacks import Callback, rate_is_set_twice, rate_setters
from pipeline.common import errors
from pipeline.datasets.description import Classes

MAX_ROLLBACKS = 3
RATE_AFTER_ROLLBACK = 0.5  # times the learning rate before it
# Times the loss of uniform guessing. Logits that are thousands apart are of no sound run; regularization is not in it.
ABSURD = 1_000.0
# So early the moving statistics of batch normalization may lag far behind the weights: after two sound steps of `quick`
# validation loss is 1,800 times that of uniform guessing. Validation's alone is then absurd above the square of ABSURD.
EARLY_STEPS = 1_000
RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
# Callbacks that need Keras's own `fit`, and what to use instead.
REPLACED = {
    keras.callbacks.BackupAndRestore: "this loop would train all epochs again; use run=, whose folder has checkpoints",
    keras.callbacks.SwapEMAWeights: "the optimizers here keep no averages; use ema_decay",
}


def check_callbacks(config: TrainConfig, classes: Classes, num_validation: int, callbacks: Sequence[Callback]) -> None:
    """Raise errors.BadArgumentError for a callback that would have no effect.

    These are those in REPLACED, one that sets the learning rate as a schedule or a rollback does, and one that monitors
    what no log has; a callback of another module than Keras's may add to the logs of those behind it.
    """
    names = metrics.names(config.heads, classes)
    logs = {*names, "learning_rate", "images_per_s"}
    balanced = [name for level, name in metrics.BALANCED.items() if level in classes.counts]
    validation = {f"val_{name}" for name in (*names, *balanced) if num_validation}
    for place, callback in enumerate(callbacks):
        label = f"callbacks={type(callback).__name__}"
        for kind, problem in REPLACED.items():
            if isinstance(callback, kind):
                raise errors.BadArgumentError(f"{label}: {problem}")
        if isinstance(callback, RATE_SETTERS) and rate_setters(config):
            raise rate_is_set_twice(callback, config)
        known = logs | (validation if getattr(callback, "save_freq", "epoch") == "epoch" else set())
        monitored = getattr(callback, "monitor", None) if getattr(callback, "save_best_only", True) else None
        if monitored is not None and monitored not in known and not any(map(_may_add_logs, callbacks[: place + 1])):
            held_out = "" if num_validation else " (num_validation=0 holds nothing out)"
            raise errors.BadArgumentError(
                f"{label}: expected monitor to be one of {', '.join(sorted(known))}{held_out}, got {monitored!r}"
            )


def _may_add_logs(callback: Callback) -> bool:
    is_keras = type(callback).__module__.partition(".")[0] == "keras"
    return not is_keras or isinstance(callback, keras.callbacks.LambdaCallback)


def has_stalled(config: TrainConfig, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether validation accuracy has not improved for `config.patience` rows; a resumed run decides alike."""
    name = "validation_coarse_accuracy" if config.heads == "coarse" else "validation_fine_accuracy"
    accuracies = [row[name] for row in rows]
    if not config.patience or len(accuracies) <= config.patience:
        return False
    return max(accuracies[-config.patience :]) <= max(accuracies[: -config.patience])


def absurd_losses(config: TrainConfig, classes: Classes, row: Mapping[str, Any]) -> dict[str, float]:
    """Those of a row's objectives, of training and of validation, that are ABSURD times that of uniform guessing."""
    limit = ABSURD * metrics.guessing_loss(config, classes)
    losses = {name: row[name] for name in ("train_loss", "validation_loss")}
    return {name: value for name, value in losses.items() if value is not None and value > limit}


def check_weights(model: keras.Model) -> None:
    """Raise errors.DivergedError where a weight or a moving statistic is not a finite number."""
    for variable in model.variables:
        if not np.isfinite(variable.numpy()).all():
            raise errors.DivergedError(f"{variable.path} is not finite: training has diverged")


def check_losses(config: TrainConfig, classes: Classes, rows: Sequence[Mapping[str, Any]], is_last: bool) -> None:
    """Raise errors.DivergedError where the last row, which may be the run's last one, shows that training has diverged.

    Before the run's end one absurd loss is not enough. The mean over an epoch may be that of a spike from which
    training has recovered, so both losses have to be absurd, or training's in two successive epochs. Validation's alone
    may come from moving statistics that lag behind the weights.
    """
    absurd = absurd_losses(config, classes, rows[-1])
    successive = all("train_loss" in absurd_losses(config, classes, row) for row in rows[-2:]) and len(rows) > 1
    if rows[-1]["validation_loss"] is None:
        is_final = "train_loss" in absurd
    else:
        lag = ABSURD if rows[-1]["step"] < EARLY_STEPS else 1.0
        is_final = absurd.get("validation_loss", 0.0) > lag * ABSURD * metrics.guessing_loss(config, classes)
    if len(absurd) > 1 or successive or (is_last and is_final):
        name, value = max(absurd.items(), key=lambda item: item[1])
        raise errors.DivergedError(
            f"{name} is {value:.3g} in epoch {rows[-1]['epoch']}, expected less than {ABSURD:,.0f} times that of "
            "uniform guessing: training has diverged"
        )
