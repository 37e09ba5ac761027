"""What Keras and TensorFlow read from outside of a program: environment variables and `keras.json`.

A variable has no effect on results here, is followed (it chooses instructions, threads or processors: results differ by
rounding, and reports name it), or is refused. `python -m benchmarks.publish.settings` draws docs/settings.md of them,
and fails where an installed package reads a variable that is in none of the tables.
"""

import json
import os
import pathlib
import subprocess
import sys
import warnings
from typing import Any

from pipeline.common import errors

FOLLOWED = (
    "CUDA_VISIBLE_DEVICES",
    "DNNL_MAX_CPU_ISA",
    "HIP_VISIBLE_DEVICES",
    "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_NUM_THREADS",
    "TF_CUDNN_DETERMINISTIC",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
# Removed at the start of a binary, for it and its child processes: about `fit`, JAX or a cluster, which no binary uses.
REMOVED = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED", "PYTHONWARNINGS", "TF_CONFIG")
# Each with the only value that is not refused, which is also the default.
REFUSED = {
    "KERAS_BACKEND": "tensorflow",
}
# The keys of keras.json that Keras checks, with the values that it takes; `models.runtime.keras_globals` sets its own.
KERAS_JSON: dict[str, tuple[Any, ...]] = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_first", "channels_last"),
    "nnx_enabled": (False,),  # needs JAX
}
_XLA_FLAGS = ("TF_XLA_FLAGS", "XLA_FLAGS")
_EMPTY_IS_NONE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")  # an empty list of GPUs


def prepare() -> None:
    """Prepare the environment of a binary and its child processes, before TensorFlow is imported.

    An empty variable counts as unset. Warnings that Python's own settings turn into errors are shown instead: those of
    libraries would end a training.

    Raises:
      errors.BadArgumentError: a variable or keras.json has a value that is refused.
    """
    empty = {name for name, value in os.environ.items() if not value} - set(_EMPTY_IS_NONE)
    for name in empty | (os.environ.keys() & set(REMOVED)):
        del os.environ[name]
    if any(option.startswith("error") for option in sys.warnoptions):
        sys.warnoptions.clear()  # child processes inherit it
        warnings.simplefilter("default")
    check()
    _check_keras_json()
    os.environ["KERAS_BACKEND"] = REFUSED["KERAS_BACKEND"]  # whatever keras.json says


def check() -> None:
    """Check the variables that would change results.

    Raises:
      errors.BadArgumentError: one is set to another value than its default.
    """
    for name, default in REFUSED.items():
        value = os.environ.get(name) or default
        if value != default:
            raise errors.BadArgumentError(f"{name}={value}: expected {default}; unset {name}")


def check_xla_flags() -> None:
    """Try the flags of XLA in a process of its own, if any are set: XLA ends a process that has an unknown one.

    Raises:
      errors.BadArgumentError: XLA does not take them.
    """
    given = {name: os.environ[name] for name in _XLA_FLAGS if name in os.environ}
    if not given:
        return
    program = "import tensorflow as tf; tf.function(lambda x: x + x, jit_compile=True)(tf.constant(1.0))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, errors="replace")
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2].rpartition("] ")[2]  # after the log's time and file
        settings = " ".join(f"{name}={value}" for name, value in given.items())
        raise errors.BadArgumentError(f"{settings}: XLA does not start: {reason}; correct or unset it")


def followed() -> dict[str, str]:
    """The variables that choose instructions, threads or processors, and are set."""
    values = {name: os.environ.get(name) for name in FOLLOWED}
    return {name: value for name, value in values.items() if value or (value == "" and name in _EMPTY_IS_NONE)}


def keras_json_path() -> pathlib.Path:
    """Where Keras reads its settings."""
    return pathlib.Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"


def _check_keras_json() -> None:
    """Raise errors.BadArgumentError where Keras or TensorFlow could not be imported because of keras.json."""
    path = keras_json_path()
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # Keras takes its defaults where there is no JSON
        return
    if not isinstance(settings, dict):
        raise errors.BadArgumentError(f"{path}: expected a JSON object, got {settings!r}; delete the file")
    expected = {name: " or ".join(map(str, values)) for name, values in KERAS_JSON.items()}
    wrong = [name for name, values in KERAS_JSON.items() if settings.get(name, values[0]) not in values]
    if not isinstance(settings.get("epsilon", 1e-7), float):
        wrong, expected["epsilon"] = [*wrong, "epsilon"], "a number with a decimal point"
    for name in wrong:
        raise errors.BadArgumentError(
            f"{path}: {name}={settings[name]!r}: expected {expected[name]}; correct or delete the file"
        )
