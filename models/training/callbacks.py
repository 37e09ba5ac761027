"""Keras callbacks: the progress bar, and a trace of some steps for TensorBoard's profiler."""

import contextlib
import itertools
from collections.abc import Mapping

import keras
import tensorflow as tf

from pipeline.common import paths

SHOWN = {
    "images_per_s": "images/s",
    "loss": "loss",
    "fine_accuracy": "fine",
    "coarse_accuracy": "coarse",
    "val_fine_accuracy": "val fine",
    "val_coarse_accuracy": "val coarse head",
}
FIRST_CALL = 10  # of this process: tracing and warming up are over
NUM_CALLS = 5

Logs = Mapping[str, float]


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


class Profiler(keras.callbacks.Callback):
    """Writes a trace of calls 10 to 14 of the step to `path`, for `tensorboard-plugin-profile` or xprof.

    A call is `steps_per_call` steps. A training of fewer calls leaves a shorter trace, one of at most 10 none.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = str(paths.local(path, "profile"))
        self._calls, self._trace = itertools.count(), contextlib.ExitStack()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Start the trace at call 10 and stop it before call 15."""
        call = next(self._calls)
        if call == FIRST_CALL:
            self._trace.enter_context(tf.profiler.experimental.Profile(self._path))
        elif call == FIRST_CALL + NUM_CALLS:
            self._trace.close()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Stop the trace of a training that ends before call 15."""
        self._trace.close()
