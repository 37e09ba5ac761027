"""The number of processors."""

import os


def count() -> int:
    """The processors that this process may use (on Linux), else those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
