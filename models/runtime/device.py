"""The machine that a run computes on: its name, features and memory."""

import pathlib
import platform
import resource
import sys

import psutil
import tensorflow as tf

from pipeline.common import cpu
from pipeline.common.numbers import counted

CPUINFO = "/proc/cpuinfo"


def allow_gpu_memory_growth() -> None:
    """Let TensorFlow allocate GPU memory as needed instead of all at once; call it before any computation.

    Raises:
      RuntimeError: a GPU is in use already.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def has_gpu() -> bool:
    """Whether TensorFlow has a GPU to compute on."""
    return bool(tf.config.list_logical_devices("GPU"))


def describe() -> str:
    """The GPUs' names, or the processor's name, threads and vector extensions, in one line.

    The threads are as many as the processors that this process may use, or as TensorFlow's own setting if that is less.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return ", ".join(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)
    limit = tf.config.threading.get_intra_op_parallelism_threads() or cpu.num_threads()
    count = min(limit, cpu.count())
    processor = _field(CPUINFO, "model name") or platform.processor() or platform.machine()
    extras = sorted(cpu_flags() & {"amx_bf16", "avx512_bf16", "avx512f", "avx2"})
    return f"{processor}, {counted(count, 'thread')}, {' '.join(extras) or 'no vector extensions known'}"


def cpu_flags(cpuinfo: str | pathlib.Path = CPUINFO) -> frozenset[str]:
    """The processor's feature flags; empty on systems other than Linux."""
    return frozenset(_field(cpuinfo, "flags").split())


def peak_rss_mib() -> float:
    """The peak resident memory of this process, TensorFlow included, in MiB."""
    # Linux's `ru_maxrss` begins with that of the process which started this one, however large it was.
    peak_kib = _field("/proc/self/status", "VmHWM")
    if peak_kib:
        return int(peak_kib.split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def rss_mib() -> float:
    """The resident memory of this process now, in MiB."""
    return psutil.Process().memory_info().rss / 2**20


def _field(path: str | pathlib.Path, name: str) -> str:
    """The first value of a field in a file of `name: value` lines, as Linux's /proc has; "" where there is none."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            pairs = (line.partition(":") for line in file)
            return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
    except OSError:
        return ""
