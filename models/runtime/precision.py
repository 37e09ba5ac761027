"""The dtype policy of a model: set while the model is built, never globally.

Keras Tuner clears Keras's global state, a global policy included, before each trial.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from pipeline.common import errors, progress
from pipeline.common.process import environment

TRIAL_SECONDS = 0.3  # of repeated steps; one step of each type is timed however long it takes
# Coarse, so that a busy machine does not change the choice: bfloat16 takes 0.5 to 1.5 times as long as float32 where
# the processor multiplies it, about 3 times where oneDNN emulates it, and 10 to 30 times without oneDNN.
SLOW_RATIO = 2.0


@dataclasses.dataclass(frozen=True)
class Choice:
    """The name of a dtype policy, and why it was chosen; the reason holds no measured time, so reports compare."""

    policy: str
    reason: str


def choose(name: str) -> Choice:
    """The dtype policy of a name; `auto` becomes the fastest one of this machine under its present settings.

    On GPUs bfloat16 where the compute capability is 8.0 or more, else float16. On CPUs bfloat16, unless it raises or
    takes at least twice as long as float32: that depends on the processor and on oneDNN's settings, so a small step is
    tried, once a process.

    Raises:
      errors.BadArgumentError: a convolution in the half precision that `name` names raises on this machine's CPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if name != "auto":
        error = "" if gpus or name == "float32" else _error_of(name.removeprefix("mixed_"))
        if error:
            settings = " ".join(f"{key}={value}" for key, value in environment.followed().items()) or "none"
            raise errors.BadArgumentError(
                f"precision={name}: a convolution raises {error} on this processor; choose float32, or change the "
                f"settings that choose instructions (set here: {settings})"
            )
        return Choice(name, "given")
    if not gpus:
        with progress.task("timing bfloat16 and float32 on this machine"):
            return _try_bfloat16()
    capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
    policy = "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
    return Choice(policy, f"the GPU's compute capability is {'.'.join(map(str, capability))}")


def resolve(name: str) -> str:
    """The dtype policy that `choose` chooses."""
    return choose(name).policy


@functools.cache
def _try_bfloat16() -> Choice:
    error = _error_of("bfloat16")
    if error:
        return Choice("float32", f"bfloat16 raised {error} in a trial step")
    is_slow = _fastest_ratio(_training_step("bfloat16"), _training_step("float32")) >= SLOW_RATIO
    compared = "at least" if is_slow else "less than"
    reason = f"bfloat16 took {compared} {SLOW_RATIO:g} times as long as float32 in a trial step"
    return Choice("float32" if is_slow else "mixed_bfloat16", reason)


def _error_of(dtype: str) -> str:
    """The name of the error that a training step raises, such as AbortedError under oneDNN's caps; "" for none."""
    try:
        _training_step(dtype)
    except tf.errors.OpError as error:
        return type(error).__name__
    return ""


@functools.cache
def _training_step(dtype: str) -> Callable[[], object]:
    """A compiled step of a convolution: forward pass and both gradients, which are most of a network's work.

    It draws no random numbers and makes no Keras layers, so it changes no state of the calling program.
    """
    images, kernel = tf.ones([8, 8, 8, 128], dtype), tf.ones([3, 3, 128, 128], dtype)

    @tf.function(autograph=False)
    def step(images: tf.Tensor, kernel: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            outputs = tf.nn.conv2d(images, kernel, 1, "SAME")
        return tape.gradient(outputs, [images, kernel])

    def run() -> None:
        for gradient in step(images, kernel):
            gradient.numpy()  # waits for it

    run()  # traces
    return run


def _fastest_ratio(step: Callable[[], object], reference: Callable[[], object]) -> float:
    """The ratio of two steps' shortest processor times; the steps take turns.

    Other programs lengthen processor time, of all threads of this process, much less than the time that passes.
    """
    began = time.perf_counter()
    seconds: tuple[list[float], list[float]] = [], []
    while not seconds[0] or time.perf_counter() - began < TRIAL_SECONDS:
        for function, times in zip((step, reference), seconds, strict=True):
            before = time.process_time()
            function()
            times.append(time.process_time() - before)
    return min(seconds[0]) / min(seconds[1])


@contextlib.contextmanager
def scope(name: str) -> Iterator[None]:
    """Set the dtype policy ("float32", "mixed_bfloat16" or "mixed_float16") until the context ends.

    Raises:
      errors.BadArgumentError: `name` is "auto", which is to be resolved first.
    """
    if name == "auto":
        raise errors.BadArgumentError("precision='auto': resolve it before building a model")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def policy_name(model: keras.Model) -> str:
    """The dtype policy of a built classifier: the mixed one of its trunk's layers, or "float32"."""
    dtypes = {layer.compute_dtype for layer in model.layers if layer.trainable_weights or layer.non_trainable_weights}
    halves = dtypes & {"bfloat16", "float16"}
    return f"mixed_{halves.pop()}" if len(halves) == 1 else "float32"
