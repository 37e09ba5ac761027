"""What Keras and TensorFlow read from outside of a program: environment variables and `keras.json`.

A variable has no effect on results here, is followed (it chooses instructions, threads or processors: results differ by
rounding, and reports name it), or is refused. `python -m benchmarks.publish.settings` draws docs/settings.md of them,
and fails where an installed package reads a variable that is in none of the tables.
"""

import json
import os
import pathlib
import platform
import subprocess
import sys
import warnings
from typing import Any

from pipeline.common import errors, paths

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
FOLLOWED = (
    "CUDA_VISIBLE_DEVICES",
    "DNNL_MAX_CPU_ISA",
    "HIP_VISIBLE_DEVICES",
    "MKL_NUM_THREADS",
    "NPY_DISABLE_CPU_FEATURES",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "TF_CONV2D_USE_FP16_ACCUMULATE",
    "TF_CUDNN_DETERMINISTIC",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_DETERMINISTIC_OPS",
    "TF_DISABLE_JIT_KERNELS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_ENABLE_ONEDNN_SPMM",
    "TF_ENABLE_WINOGRAD_NONFUSED",
    "TF_ENABLE_ZENDNN_OPTS",
    "TF_FP16_CONV_USE_FP32_COMPUTE",
    "TF_FP16_MATMUL_USE_FP32_COMPUTE",
    *THREADS,
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
# Removed at the start of a binary, for it and its child processes: they are about what no binary does (`fit`, JAX, a
# cluster, figures in windows, downloads by TFDS), and some values of theirs end the import of a library.
REMOVED = (
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
    "KERAS_NNX_ENABLED",
    "MPLBACKEND",
    "PYTHONWARNINGS",
    "TFDS_RETRY_DELAY_MULTIPLIER",
    "TFDS_RETRY_INITIAL_DELAY",
    "TFDS_RETRY_MSG_SUBSTRINGS",
    "TFDS_RETRY_NOISE",
    "TFDS_RETRY_TRIES",
    "TF_CONFIG",
    "TF_FORWARD_COMPATIBILITY_DELTA_DAYS",
    "TF_NP_CHECK_LINK",
    "TF_NP_DOC_FORM",
    "TF_NP_SIG_MISMATCH_IS_ERROR",
    "TF_USE_MODULAR_FILESYSTEM",
)
removed: dict[str, str] = {}  # what `clean` has removed; a distributed training reads TF_CONFIG there
# Set where they are not. TensorFlow switches oneDNN on by itself only where a processor has instructions for neural
# networks, such as AVX-512 VNNI; without it, gradients of convolutions of small maps take many times as long.
DEFAULTS = {"TF_ENABLE_ONEDNN_OPTS": "1"} if platform.machine().lower() in ("x86_64", "amd64") else {}
# Each with the values that are not refused, its default first.
REFUSED = {
    "DNNL_DEFAULT_FPMATH_MODE": ("STRICT",),  # float32 would be multiplied in less
    "KERAS_BACKEND": ("tensorflow",),
    "ONEDNN_DEFAULT_FPMATH_MODE": ("STRICT",),
    "TF_FUNCTION_JIT_COMPILE_DEFAULT": ("false", "0"),  # XLA draws other random numbers
    "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": ("0", "false"),  # kernels would keep the first step's weights
    "TF_SET_ONEDNN_FPMATH_MODE": ("STRICT",),
}
# The keys of keras.json that Keras checks, with the values that it takes. `models.runtime.global_settings` has others.
KERAS_JSON: dict[str, tuple[Any, ...]] = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_first", "channels_last"),
    "nnx_enabled": (False,),  # needs JAX
}
_CLUSTERS = "--tf_xla_auto_jit"  # for XLA, which draws other random numbers
_NO_CLUSTERS = f" {_CLUSTERS}=-1"  # the last flag counts
# TensorFlow aborts, or fails to be imported, with some values of these.
_ABORT = ("TF_PLUGGABLE_DEVICE_LIBRARY_PATH", "TF_XLA_FLAGS", "XLA_FLAGS")
_EMPTY_IS_NONE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")  # an empty list of GPUs


def clean() -> None:
    """Remove the variables that a binary and its child processes do not read, before anything is imported.

    An empty variable counts as unset, and so does a number of threads that TensorFlow would ignore or abort at.
    Warnings that Python's own settings turn into errors are shown instead: those of libraries would end a training.
    """
    empty = {name for name, value in os.environ.items() if not value} - set(_EMPTY_IS_NONE)
    no_numbers = {name for name in THREADS if not os.environ.get(name, "0").isdecimal()}
    for name in empty | no_numbers | (os.environ.keys() & set(REMOVED)):
        removed[name] = os.environ.pop(name)
    actions = [option.partition(":")[0].strip() for option in sys.warnoptions]  # Python takes `e` for `error`
    if any(action and "error".startswith(action) for action in actions):
        sys.warnoptions.clear()  # child processes inherit it
        warnings.simplefilter("default")
    if _clusters_for_xla():
        os.environ["TF_XLA_FLAGS"] += _NO_CLUSTERS
    os.environ.setdefault("KERAS_BACKEND", REFUSED["KERAS_BACKEND"][0])  # whatever keras.json says
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def check() -> None:
    """Check the variables that would change results, and the numbers of threads.

    Raises:
      errors.BadArgumentError: one would change results, is no number, or is no path of this machine.
    """
    for name in ("KERAS_HOME", "MPLCONFIGDIR"):  # Keras and Matplotlib expand no `~`, and make folders of URLs
        if os.environ.get(name):
            os.environ[name] = str(paths.local(os.environ[name], name))
    for name, values in REFUSED.items():
        value = os.environ.get(name) or values[0]
        if value.lower() not in map(str.lower, values):
            raise errors.BadArgumentError(f"{name}={value}: expected {values[0]}; unset {name}")
    if _clusters_for_xla():
        raise errors.BadArgumentError(
            f"TF_XLA_FLAGS={os.environ['TF_XLA_FLAGS']}: draws other random numbers; leave {_CLUSTERS} out and use "
            "jit_compile"
        )
    for name in THREADS:
        value = os.environ.get(name) or "0"
        if not value.isdecimal():  # TensorFlow ignores it, or aborts
            raise errors.BadArgumentError(f"{name}={value}: expected a whole number, 0 for every processor")


def check_abort() -> None:
    """Try the variables with which TensorFlow may end in a process of its own, if any are set.

    Raises:
      errors.BadArgumentError: TensorFlow does not take their values, such as an unknown flag of XLA.
    """
    given = {name: os.environ[name] for name in _ABORT if os.environ.get(name)}
    if not given:
        return
    program = "import tensorflow as tf; tf.function(lambda x: x + x, jit_compile=True)(tf.constant(1.0))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, errors="replace")
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2].rpartition("] ")[2]  # after the log's time and file
        settings = " ".join(f"{name}={value}" for name, value in given.items())
        raise errors.BadArgumentError(f"{settings}: TensorFlow does not start: {reason}; correct or unset it")


def followed() -> dict[str, str]:
    """The variables that choose instructions, threads or processors, and are set to other values than `DEFAULTS`."""
    values = {name: os.environ.get(name) for name in FOLLOWED}
    values = {name: value for name, value in values.items() if value != DEFAULTS.get(name)}
    return {name: value for name, value in values.items() if value or (value == "" and name in _EMPTY_IS_NONE)}


def keras_home() -> pathlib.Path:
    """The folder of Keras's settings and data sets."""
    home = os.path.expanduser("~")
    default = pathlib.Path(home if os.access(home, os.W_OK) else "/tmp", ".keras")  # as Keras does
    return pathlib.Path(os.environ.get("KERAS_HOME") or default)


def keras_json_path() -> pathlib.Path:
    """Where Keras reads its settings."""
    return keras_home() / "keras.json"


def check_keras_json() -> None:
    """Check keras.json before Keras and TensorFlow are imported, which both read it.

    Raises:
      errors.BadArgumentError: it has a value with which they cannot be imported.
    """
    path = keras_json_path()
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # Keras takes its defaults where there is no JSON
        return
    except RecursionError as error:
        raise errors.BadArgumentError(f"{path}: is nested too deeply; delete the file") from error
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


def _clusters_for_xla() -> bool:
    flags = os.environ.get("TF_XLA_FLAGS", "")
    return _CLUSTERS in flags and not flags.endswith(_NO_CLUSTERS)
