"""The machine a run computes on."""

import subprocess
import sys

import pytest

from models.runtime import device
from tests.conftest import ROOT


def printed(code: str) -> list[float]:
    """What a fresh process prints for `code`, a number a line."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def test_peak_memory_is_what_was_held_at_most():
    code = """
import numpy
from models.runtime import device
print(device.peak_rss_mib())
ballast = numpy.ones(300 * 2**20, numpy.uint8)
del ballast
print(device.peak_rss_mib())
"""
    before, after = printed(code)
    assert 250 < after - before < 400


@pytest.mark.skipif(sys.platform != "linux", reason="what it guards against is Linux's")
def test_peak_memory_does_not_begin_with_that_of_the_parent():
    code = """
import subprocess, sys, numpy
ballast = numpy.ones(1500 * 2**20, numpy.uint8)
child = "from models.runtime import device; print(device.peak_rss_mib())"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout)
"""
    (peak,) = printed(code)
    assert peak < 1400


def test_device_names_the_processor():
    assert " thread" in device.describe()
