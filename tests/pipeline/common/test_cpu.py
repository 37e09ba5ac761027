"""The processors that a process may use."""

import math
import os
import subprocess
import sys

import pytest

from pipeline.common import cpu
from tests.conftest import ROOT
from tests.import_graph import module_files


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/", {}, math.inf),
        ("0::/", {"cpu.max": "max 100000"}, math.inf),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),  # systemd's CPUQuota on a slice
        ("0::/docker/of_the_host", {"cpu.max": "200000 100000"}, 2.0),  # a container sees its own group at the root
        ("4:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ("4:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "300000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 3.0),
        ("5:memory:/a\n0::/", {"a/cpu.max": "100000 100000"}, math.inf),
    ],
)
def test_control_group_limits_processors(control_groups, groups, files, expected):
    """coreutils/coreutils#108: a quota, as of `docker run --cpus=2`, did not count; one of 3.99 is four processors."""
    assert cpu.cgroup_limit(*control_groups(groups, files)) == expected


@pytest.mark.parametrize(("limit", "expected"), [(math.inf, 4), (0.5, 1), (1.5, 2), (9.0, 4)])
def test_count_is_the_smaller_of_affinity_and_limit(monkeypatch, limit, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 7}, raising=False)
    monkeypatch.setattr(cpu, "cgroup_limit", lambda: limit)
    assert cpu.count() == expected


@pytest.mark.parametrize(("setting", "expected"), [("", 4), ("1", 1), ("9", 4), ("x", 4), ("0", 4)])
def test_threads_follow_the_setting_of_tensorflow(monkeypatch, setting, expected):
    monkeypatch.setattr(cpu, "count", lambda: 4)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", setting)
    assert cpu.num_threads() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_count_follows_affinity():
    code = "import os; from pipeline.common import cpu; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(cpu.count())"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_no_other_module_counts_processors():
    """PyTorch was measured on all processors of the machine beside TensorFlow on those of its affinity."""
    counting = {module for module, path in module_files(ROOT).items() if "cpu_count(" in path.read_text("utf-8")}
    assert counting == {"pipeline.common.cpu"}
