"""The machine a run computes on."""

import math
import subprocess
import sys

import pytest
import tensorflow as tf

from models.runtime import device
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def peaks() -> tuple[float, float]:
    """The peak memory of a process before and after it allocates 300 MiB; the one that started it holds 1,500 MiB."""
    code = """
import numpy
from models.runtime import device
print(device.peak_rss_mib())
ballast = numpy.ones(300 * 2**20, numpy.uint8)
del ballast
print(device.peak_rss_mib())
"""
    parent = f"""
import subprocess, sys, numpy
ballast = numpy.ones(1500 * 2**20, numpy.uint8)
print(subprocess.run([sys.executable, "-c", {code!r}], capture_output=True, text=True).stdout)
"""
    done = subprocess.run([sys.executable, "-c", parent], cwd=ROOT, capture_output=True, text=True, check=True)
    before, after = map(float, done.stdout.split())
    return before, after


def test_peak_memory_is_what_was_held_at_most(peaks):
    before, after = peaks
    assert 250 < after - before < 400


@pytest.mark.skipif(sys.platform != "linux", reason="what it guards against is Linux's")
def test_peak_memory_does_not_begin_with_that_of_the_parent(peaks):
    before, _ = peaks
    assert before < 1400


@pytest.mark.parametrize(
    ("processors", "setting", "expected"),
    [
        (1, "", "1 thread,"),
        (3, "", "3 threads,"),
        (3, "1", "1 thread,"),
        (3, "8", "3 threads,"),
        (3, "x", "3 threads,"),
    ],
)
def test_device_counts_the_processors_that_the_process_may_use(monkeypatch, processors, setting, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: range(processors), raising=False)
    monkeypatch.setattr("pipeline.common.cpu.cgroup_limit", lambda: math.inf)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", setting)
    assert f", {expected} " in device.describe()


def test_cpu_flags_are_read_and_may_be_missing(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: A\nflags\t\t: fpu amx_bf16\n")
    assert device.cpu_flags(cpuinfo) == {"fpu", "amx_bf16"}
    assert device.cpu_flags(tmp_path / "none") == frozenset()
