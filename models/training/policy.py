"""Checks before a run, and the end of a run whose validation accuracy has stalled."""

from collections.abc import Sequence
from typing import Any

import keras

from models.architectures import BUILDERS
from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.common.config import as_text
from pipeline.data_config import DataConfig
from pipeline.resolution import FULL_SIZE, ResolutionSchedule

RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def check_configs(data: DataConfig, config: TrainConfig) -> None:
    """Raise errors.BadArgumentError unless the network takes the resolutions and `patience` has a validation part."""
    sizes = set(ResolutionSchedule.from_shares(data.resolutions).sizes)
    if sizes != {FULL_SIZE} and not BUILDERS[config.architecture].takes_any_size:
        raise errors.BadArgumentError(
            f"resolutions={as_text(data.resolutions)}: --architecture={config.architecture} takes only {FULL_SIZE} x "
            f"{FULL_SIZE} pixels; leave --resolutions out"
        )
    if config.patience and not data.num_validation:
        raise errors.BadArgumentError(
            f"patience={config.patience}: expected --num_validation above 0, got num_validation=0; leave --patience out"
        )


def check_callbacks(config: TrainConfig, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Raise errors.BadArgumentError where both a callback and a schedule set the learning rate."""
    for callback in callbacks:
        if isinstance(callback, RATE_SETTERS) and config.schedule != "constant":
            raise errors.BadArgumentError(
                f"schedule={config.schedule!r} and {type(callback).__name__} both set the learning rate; "
                "use schedule='constant' with that callback"
            )


def has_stalled(config: TrainConfig, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether validation accuracy has not improved for `config.patience` rows; a resumed run decides alike."""
    name = "validation_coarse_accuracy" if config.heads == "coarse" else "validation_fine_accuracy"
    accuracies = [row[name] for row in rows]
    if not config.patience or len(accuracies) <= config.patience:
        return False
    return max(accuracies[-config.patience :]) <= max(accuracies[: -config.patience])


def reads_every_step(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback has a hook at the end of a step, which needs the logs of that step."""
    defaults = {hook: getattr(keras.callbacks.Callback, hook) for hook in ("on_train_batch_end", "on_batch_end")}
    return any(getattr(getattr(callback, hook), "__func__", None) is not default for hook, default in defaults.items())
