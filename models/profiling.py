"""A trace of some training steps, for TensorBoard's profiler (plugin `tensorboard-plugin-profile`) or xprof."""

import keras
import tensorflow as tf

FIRST_STEP = 10  # of this process: tracing and warming up are over
NUM_STEPS = 5


class Profiler(keras.callbacks.Callback):
    """Writes a trace of steps 10 to 14 of this process to `path`; of fewer where the training is shorter."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._steps_begun = 0
        self._traces = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Begin with step 10, end before step 15."""
        if self._steps_begun == FIRST_STEP:
            tf.profiler.experimental.start(self._path)
            self._traces = True
        if self._steps_begun == FIRST_STEP + NUM_STEPS:
            self._stop()
        self._steps_begun += 1

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """End with a training that is shorter."""
        self._stop()

    def _stop(self) -> None:
        if self._traces:
            tf.profiler.experimental.stop()
            self._traces = False
