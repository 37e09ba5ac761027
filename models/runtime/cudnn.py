"""cuDNN, by which TensorFlow convolves on GPUs: which version is loaded, and whether XLA can use it.

Convolutions that XLA of TensorFlow 2.21 compiles were reported to fail with cuDNN 9.3 and 9.5.1 on every GPU that was
tried ("Autotuner could not find any supported configs"), and to work with 9.24: aws/deep-learning-containers#6417.
`tensorflow[and-cuda]` takes any version from 9.3 on.
"""

import contextlib
import ctypes
import functools
import importlib.metadata
import sys

import tensorflow as tf

OLDEST = (9, 24)  # that XLA can use
PACKAGE = "nvidia-cudnn-cu12"


def warn_if_old() -> None:
    """Print one line on stderr where a GPU is to compute with a cuDNN that XLA cannot use."""
    if is_old():
        version, oldest = (".".join(map(str, numbers)) for numbers in (loaded_version() or (), OLDEST))
        print(
            f"warning: cuDNN {version}: expected {oldest} or later, since convolutions that XLA "
            f"compiles fail in TensorFlow {tf.__version__} with older ones; run: pip install '{PACKAGE}>={oldest},<10' "
            "(until then --jit_compile=auto compiles no network)",
            file=sys.stderr,
        )


@functools.cache
def is_old() -> bool:
    """Whether there is a GPU, and a cuDNN that XLA cannot use."""
    version = loaded_version() if tf.config.list_physical_devices("GPU") else None
    return version is not None and version < OLDEST


def loaded_version() -> tuple[int, ...] | None:
    """Such as (9, 24, 0): of the library that TensorFlow has loaded, else of the installed package, else None."""
    major = tf.sysconfig.get_build_info().get("cudnn_version")
    if major:  # a build for CUDA
        with contextlib.suppress(OSError, AttributeError):  # not found, or of another kind
            return library_version(f"libcudnn.so.{major}")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return tuple(map(int, importlib.metadata.version(PACKAGE).split(".")[:3]))
    return None


def library_version(name: str) -> tuple[int, ...]:
    """The version of a library of cuDNN 9, by its path, or by its name where it is loaded or on the search path.

    Raises:
      OSError: it cannot be loaded.
      AttributeError: it is not cuDNN.
    """
    function = ctypes.CDLL(name).cudnnGetVersion
    function.restype = ctypes.c_size_t
    number = function()
    return number // 10_000, number // 100 % 100, number % 100
