"""The machine a run computes on: its manners, its name, its memory."""

import os
import platform
import resource
import sys

import tensorflow as tf

from models.runtime.precision import cpu_flags


def allow_gpu_memory_growth() -> None:
    """Take GPU memory as it is needed instead of all at once. For binaries, before anything is computed.

    Raises:
      RuntimeError: a GPU is in use already.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def has_gpu() -> bool:
    """Whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))


def describe() -> str:
    """One line: the GPUs' names, or the processor with what it has for bfloat16."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return ", ".join(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)
    own = tf.config.threading.get_intra_op_parallelism_threads() or int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0))
    count = own or os.cpu_count()
    threads = "1 thread" if count == 1 else f"{count} threads"
    extras = sorted(cpu_flags() & {"amx_bf16", "avx512_bf16", "avx512f", "avx2"})
    return f"{_processor()}, {threads}, {' '.join(extras) or 'no vector extensions known'}"


def peak_rss_mib() -> float:
    """The most memory that this process ever held in RAM, TensorFlow included, in MiB."""
    # Linux's `ru_maxrss` begins with that of the process which started this one, however large it was.
    for line in _lines("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _processor() -> str:
    names = (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _lines(path: str) -> list[str]:
    """Of a file of Linux's; none on other systems."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readlines()
    except OSError:
        return []
