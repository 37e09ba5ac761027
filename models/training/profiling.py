"""A trace of some training steps, for TensorBoard's profiler (plugin `tensorboard-plugin-profile`) or xprof."""

import keras
import tensorflow as tf

FIRST_CALL = 10  # of this process: tracing and warming up are over
NUM_CALLS = 5


class Profiler(keras.callbacks.Callback):
    """Writes a trace of calls 10 to 14 of the step to `path`; a call is `steps_per_call` steps.

    A training of fewer calls leaves a shorter trace, one of at most 10 none.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._calls_begun = 0
        self._traces = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Start the trace at call 10 and stop it before call 15."""
        if self._calls_begun == FIRST_CALL:
            tf.profiler.experimental.start(self._path)
            self._traces = True
        if self._calls_begun == FIRST_CALL + NUM_CALLS:
            self._stop()
        self._calls_begun += 1

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Stop the trace of a training that ends before call 15."""
        self._stop()

    def _stop(self) -> None:
        if self._traces:
            tf.profiler.experimental.stop()
            self._traces = False
