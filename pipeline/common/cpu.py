"""How many processors there are to compute on."""

import os


def count() -> int:
    """Those that this process may use, where the system tells (Linux), else the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
