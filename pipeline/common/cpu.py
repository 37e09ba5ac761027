"""The number of processors."""

import math
import os
import pathlib

from pipeline.common.process import cgroups


def count() -> int:
    """The processors that this process may use (on Linux), else those of the machine.

    They are those of its affinity, or fewer where a control group limits its time, as containers do; a limit of one and
    a half processors counts as two.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(affinity, cgroup_limit())))


def num_threads() -> int:
    """The threads of a process: as many as `count`, or fewer where TF_NUM_INTRAOP_THREADS is less."""
    setting = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return min(count(), int(setting) if setting.isdecimal() and int(setting) else count())


def cgroup_limit(proc: pathlib.Path = cgroups.PROC, root: pathlib.Path = cgroups.ROOT) -> float:
    """The processors whose time the control groups of this process allow; infinite without a limit.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, `cpu.max`; cgroup-v1's `cpu.cfs_quota_us`.
    """
    limits = [math.inf]
    for version, folder in cgroups.folders("cpu", proc, root):
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if version == 1 else ("cpu.max",)
        limit = " ".join(cgroups.text(folder / name) for name in names).split()
        limits += [int(limit[0]) / int(limit[1])] if len(limit) == 2 and limit[0].isdecimal() else []
    return min(limits)
