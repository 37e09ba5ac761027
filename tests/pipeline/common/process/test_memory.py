"""The memory that a process may still take."""

import math

import psutil
import pytest

from pipeline.common.process import memory

MIB = 1 << 20


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/", {}, math.inf),
        ("0::/", {"memory.max": "max\n", "memory.current": "7\n"}, math.inf),
        ("0::/", {"memory.max": "9000\n", "memory.current": "7000\n"}, 2000),
        ("0::/", {"memory.max": "9000", "memory.current": "7000", "memory.stat": "anon 1\ninactive_file 4000\n"}, 6000),
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "900", "a/memory.current": "700"}, 200),
        ("0::/docker/of_the_host", {"memory.max": "900", "memory.current": "950"}, 0),
        (
            "4:memory:/a",
            {
                "memory/a/memory.limit_in_bytes": "900\n",
                "memory/a/memory.usage_in_bytes": "500\n",
                "memory/a/memory.stat": "inactive_file 0\ntotal_inactive_file 100\n",
            },
            500,
        ),
        ("5:cpu:/a\n0::/", {"cpu/a/memory.max": "9", "cpu/a/memory.current": "9"}, math.inf),
    ],
)
def test_control_group_limits_memory(control_groups, groups, files, expected):
    assert memory.cgroup_available(*control_groups(groups, files)) == expected


@pytest.mark.parametrize("limit", [0, MIB, math.inf])
def test_available_is_the_smaller_of_machine_and_limit(monkeypatch, limit):
    monkeypatch.setattr(memory, "cgroup_available", lambda: limit)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 2 * MIB}))
    assert memory.available_bytes() == min(limit, 2 * MIB)
