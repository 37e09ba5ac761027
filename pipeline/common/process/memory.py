"""The memory that is free."""

import math
import pathlib
import re

import psutil

from pipeline.common.process import cgroups

# The limit, the usage, and the key in `memory.stat` of cached files, which the kernel drops where memory is short.
_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def available_bytes() -> int:
    """The memory that the machine has free, or less where a control group limits this process, as containers do."""
    return int(min(psutil.virtual_memory().available, cgroup_available()))


def cgroup_available(proc: pathlib.Path = cgroups.PROC, root: pathlib.Path = cgroups.ROOT) -> float:
    """The bytes that the control groups of this process leave it; infinite without a limit.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, `memory.max`; usage as `docker stats` counts it.
    """
    available = [math.inf]
    for version, folder in cgroups.folders("memory", proc, root):
        limit_name, usage_name, cached_key = _FILES[version]
        limit, usage = (cgroups.text(folder / name).strip() for name in (limit_name, usage_name))
        if limit.isdecimal() and usage.isdecimal():
            cached = re.search(rf"^{cached_key} (\d+)$", cgroups.text(folder / "memory.stat"), re.MULTILINE)
            available.append(int(limit) - int(usage) + (int(cached[1]) if cached else 0))
    return max(0, min(available))
