"""Keras callbacks: those of a caller as `fit` takes them, the progress bar, and a trace for TensorBoard's profiler."""

import contextlib
import functools
import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from models.config.training import TrainConfig
from pipeline.common import durations, errors, files, paths

SHOWN = {
    "images_per_s": "images/s",
    "loss": "loss",
    "fine_accuracy": "fine",
    "coarse_accuracy": "coarse head",
    "val_fine_accuracy": "val fine",
    "val_coarse_accuracy": "val coarse head",
}
PACE_SECONDS = 5.0  # of steps from which the time that a training takes is first estimated
FIRST_CALL = 10  # of this process: tracing and warming up are over
NUM_CALLS = 5

Callback: TypeAlias = keras.callbacks.Callback
# As in `fit`; sequences may be nested.
Callbacks: TypeAlias = Callback | Sequence[Any] | keras.callbacks.CallbackList | None
Logs = Mapping[str, float]


def as_list(callbacks: Callbacks) -> list[Callback]:
    """The callbacks in one list. One that finds its mode by itself looks for the highest accuracy or the lowest loss.

    In `fit`, Keras takes the direction from the metrics of the compiled model.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    result: list[Callback] = [] if callbacks is None else keras.tree.flatten(callbacks)
    for callback in result:
        monitored = str(getattr(callback, "monitor", ""))
        if getattr(callback, "mode", "") == "auto" and monitored.endswith(("accuracy", "loss")):
            callback.mode = "max" if monitored.endswith("accuracy") else "min"
    return result


def has_hook(callback: Callback, *names: str) -> bool:
    """Whether a callback has one of the hooks (`on_test_batch_end`) itself; the base class's do nothing."""
    hooks = {name: getattr(callback, name, None) for name in names}
    return any(
        hook is not None and getattr(hook, "__func__", hook) is not getattr(Callback, name, None)
        for name, hook in hooks.items()
    )


class RateGuard:
    """A callback of a run whose configuration sets the learning rate: a hook that sets it too is an error."""

    def __init__(self, callback: Callback, optimizer: keras.optimizers.Optimizer, config: TrainConfig) -> None:
        self._callback, self._optimizer, self._config = callback, optimizer, config

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._callback, name)
        own = name.startswith("on_") and has_hook(self._callback, name, name.replace("_train_batch_", "_batch_"))
        return functools.partial(self._run, value) if own else value

    def _run(self, hook: Callable[..., None], *arguments: Any, **keywords: Any) -> None:
        before = float(self._optimizer.learning_rate.numpy())
        hook(*arguments, **keywords)
        if float(self._optimizer.learning_rate.numpy()) != before:
            raise rate_is_set_twice(self._callback, self._config)


def _guarded(
    callbacks: Sequence[Callback], optimizer: keras.optimizers.Optimizer, config: TrainConfig
) -> list[Callback | RateGuard]:
    """The callbacks, in guards where the configuration sets the learning rate."""
    if not rate_setters(config):
        return list(callbacks)
    # Keras's list finds these by their classes; of the others, guards wait for the device at each step.
    bare = keras.callbacks.History | keras.callbacks.ProgbarLogger
    return [
        callback if isinstance(callback, bare) or only_watches(callback) else RateGuard(callback, optimizer, config)
        for callback in callbacks
    ]


def only_watches(callback: Callback) -> bool:
    """Whether a callback is known to change neither weights nor the learning rate; a subclass of a user's may."""
    watchers = (keras.callbacks.History, keras.callbacks.ProgbarLogger, ProgressBar, Profiler, DeadlineNotice)
    return type(callback) in watchers


def rate_setters(config: TrainConfig) -> dict[str, str]:
    """The fields whose values set the learning rate during a run, each with the value that does not."""
    constant = {"schedule": "constant", "on_divergence": "stop"}
    return {name: value for name, value in constant.items() if getattr(config, name) != value}


def rate_is_set_twice(callback: Callback, config: TrainConfig) -> errors.BadArgumentError:
    """The error of a callback that sets the learning rate, as the schedule or a rollback does."""
    setters = rate_setters(config)
    given = [f"{name}={getattr(config, name)!r}" for name in setters]
    needed = [f"{name}={value!r}" for name, value in setters.items()]
    return errors.BadArgumentError(
        f"{' and '.join(given)}: {type(callback).__name__} sets the learning rate too; use {' and '.join(needed)} with "
        "that callback"
    )


def callback_list(
    callbacks: Sequence[Callback], model: keras.Model, config: TrainConfig, *, shows_bar: bool
) -> keras.callbacks.CallbackList:
    """A caller's callbacks, Keras's history, and with `shows_bar` a progress bar unless there is one among them."""
    has_bar = any(isinstance(callback, keras.callbacks.ProgbarLogger) for callback in callbacks)
    bar = [ProgressBar()] if shows_bar and not has_bar else []
    users = _guarded(callbacks, model.optimizer, config)
    return keras.callbacks.CallbackList([*users, *bar], add_history=True, model=model)


def begin_again(callback_list: keras.callbacks.CallbackList) -> None:
    """Call `on_train_begin` of a list that has ended; its CSVLoggers keep the rows of their files."""
    bare = (callback._callback if isinstance(callback, RateGuard) else callback for callback in callback_list.callbacks)
    loggers = [callback for callback in bare if isinstance(callback, keras.callbacks.CSVLogger) and not callback.append]
    for logger in loggers:
        logger.append = True
    callback_list.on_train_begin()
    for logger in loggers:
        logger.append = False


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Shows steps, time left and, of the metrics, the few that fit a line; validation's at an epoch's end."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Advance by a step."""
        super().on_train_batch_end(batch, _shown(logs))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Close the epoch's line."""
        super().on_epoch_end(epoch, _shown(logs))


def _shown(logs: Logs | None) -> dict[str, float]:
    return {short: logs[name] for name, short in SHOWN.items() if logs and name in logs}


class DeadlineNotice(keras.callbacks.Callback):
    """Prints a line as soon as a training's pace shows that it will not end by a moment, of `clock`.

    The pace is that of the steps after the first call, which compiles: of the first PACE_SECONDS of them, then again at
    the begin of each epoch, validation included.
    """

    def __init__(self, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._deadline, self._clock = deadline, clock
        self._first_step, self._is_known = 0, False
        self._starts: list[tuple[float, int]] = []  # of the first two calls: moment and step

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note where the epoch begins."""
        self._first_step = self.params["first_step"]

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Estimate where it is time to."""
        now, step = self._clock(), self._first_step + batch
        if len(self._starts) < 2:
            self._starts.append((now, step))
            return
        began, first_step = self._starts[1]
        if step <= first_step:  # a rollback has gone further back
            self._starts.clear()
            return
        is_due = batch == 0 or (not self._is_known and now - began >= PACE_SECONDS)
        if not is_due or self._deadline == math.inf:
            return
        self._is_known = True
        seconds = (now - began) / (step - first_step) * (self.params["total_steps"] - step)
        if now + seconds > self._deadline:
            needed, left = (durations.in_words(max(0.0, value)) for value in (seconds, self._deadline - now))
            print(f"\nmax_minutes: not enough; the training takes about {needed} more, {left} are left", flush=True)
            self._deadline = math.inf  # one line is enough


class Profiler(keras.callbacks.Callback):
    """Writes a trace of calls 10 to 14 of the step to `path`, for `tensorboard-plugin-profile` or xprof.

    A call is `steps_per_call` steps. A training of fewer calls leaves a shorter trace, one of at most 10 none. Errors
    as of `files.writing`.
    """

    def __init__(self, path: paths.AnyPath) -> None:
        super().__init__()
        self._path = paths.local(path, "profile")
        files.check_folder_writable("profile", self._path)
        self._calls, self._trace = itertools.count(), contextlib.ExitStack()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Start the trace at call 10 and stop it before call 15."""
        call = next(self._calls)
        if call == FIRST_CALL:
            self._trace.enter_context(files.writing("profile", self._path))
            self._trace.enter_context(tf.profiler.experimental.Profile(str(self._path)))
        elif call == FIRST_CALL + NUM_CALLS:
            self._trace.close()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Stop the trace of a training that ends before call 15."""
        self._trace.close()
