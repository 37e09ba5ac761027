"""The control groups of this process, by which Linux limits containers and services."""

import pathlib
from collections.abc import Iterator

PROC, ROOT = pathlib.Path("/proc/self/cgroup"), pathlib.Path("/sys/fs/cgroup")


def folders(
    controller: str, proc: pathlib.Path = PROC, root: pathlib.Path = ROOT
) -> Iterator[tuple[int, pathlib.Path]]:
    """The version, 1 or 2, and the folder of each group that limits what a controller such as "cpu" counts.

    A limit of any of them holds. In a container a folder may be the host's and not exist.
    """
    for line in text(proc).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        group = (root / controller if controllers else root) / path.lstrip("/")
        for folder in (group, *group.parents):
            yield 1 if controllers else 2, folder


def text(path: pathlib.Path) -> str:
    """The content of a file of a control group; "" where it is missing."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
