"""Which numbers a model computes in. A policy is in force while a model is built, never globally.

Keras Tuner clears Keras's global state before each trial and a global policy with it; a scope cannot be lost that way.
"""

import contextlib
import pathlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from pipeline.common import errors

FAST_BFLOAT16_CPU_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


def resolve(name: str) -> str:
    """`auto` -> the policy for this machine; any other name is returned as it is.

    bfloat16 on GPUs of compute capability 8.0 and more, float16 on older ones, bfloat16 on CPUs that multiply it in
    hardware (AMX, AVX-512 BF16), else float32: everything else would be slower than float32.
    """
    if name != "auto":
        return name
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
    return "mixed_bfloat16" if cpu_flags() & FAST_BFLOAT16_CPU_FLAGS else "float32"


def cpu_flags(cpuinfo: pathlib.Path = pathlib.Path("/proc/cpuinfo")) -> frozenset[str]:
    """The processor's feature flags; empty where the system does not tell (no Linux)."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split(":")[1] for line in lines if line.startswith("flags")), "").split())


@contextlib.contextmanager
def scope(name: str) -> Iterator[None]:
    """Build layers under the policy `name` ("float32", "mixed_bfloat16", "mixed_float16"); restores the one before."""
    if name == "auto":
        raise errors.BadArgumentError("precision='auto': resolve it before building a model")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def policy_name(model: keras.Model) -> str:
    """The policy that a built classifier computes in, read from its layers: its trunk's mixed one, or "float32"."""
    dtypes = {layer.compute_dtype for layer in model.layers if layer.trainable_weights or layer.non_trainable_weights}
    halves = dtypes & {"bfloat16", "float16"}
    return f"mixed_{halves.pop()}" if len(halves) == 1 else "float32"
