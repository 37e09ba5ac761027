"""The dtype policy of a model: set while the model is built, never globally.

Keras Tuner clears Keras's global state, a global policy included, before each trial.
"""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from models.runtime.device import cpu_flags
from pipeline.common import errors

FAST_BFLOAT16_CPU_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


def resolve(name: str) -> str:
    """The name of a dtype policy; `auto` becomes the fastest one of this machine.

    bfloat16 on GPUs of compute capability 8.0 and more, float16 on older ones, bfloat16 on CPUs that multiply it in
    hardware (AMX, AVX-512 BF16), else float32: there half precision is slower than float32.
    """
    if name != "auto":
        return name
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
    return "mixed_bfloat16" if cpu_flags() & FAST_BFLOAT16_CPU_FLAGS else "float32"


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
