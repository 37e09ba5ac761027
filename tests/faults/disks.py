"""Run commands on small disks that become full, and check the error line, what is left, and that they continue.

    python -m tests.faults.disks                       # as root, or where `unshare -rm` may mount

Each command works on a tmpfs that has room for a part of what it writes, in bytes or in number of files. It must fail
with exit code 1 and one line `error: FLAG=PATH: ...`, and leave no temporary file. On a larger disk the same command
must then end as an undisturbed one. Otherwise the exit code is 1.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from pipeline.common import app, errors, progress
from tests.conftest import ROOT
from tests.faults import kills
from tests.faults.tracing import cases, contents, output
from tests.faults.tracing.cases import CASES, Case, Cases, begun
from tests.faults.tracing.tracer import Action, Operation, TracedProcess

BYTES, FILES = (0.1, 0.4, 0.7, 0.97), (0.0, 0.6)  # parts of what a command needs, for which its disk has room
LEFTOVER = re.compile(r"\.partial|\.staging-|\.new$|\.replaced$|\.removed$|\.tmp")
CACHE = Case(
    "cache=disk",
    lambda home, work: [
        *("-m", "models.train", *cases.LINEAR, "--cache=disk", f"--dataset={cases.DATASET}"),
        *(f"--data_dir={work / 'data'}", f"--run_dir={work / 'run'}"),
    ],
    begins_with="prepared",
)
ALL = {name: CASES[name] for name in ("train", "prepare", "evaluate", "tune", "study")} | {CACHE.name: CACHE}

flags = app.Flags()
BINARY = flags.DEFINE_enum("binary", "all", ("all", *ALL), "command to disturb")
OUT = flags.DEFINE_path("out", "", "JSON file to write")


@dataclasses.dataclass(frozen=True)
class Room:
    """The room on a disk."""

    num_bytes: int
    num_files: int

    def between(self, other: "Room", part_of_bytes: float, part_of_files: float) -> "Room":
        """This room and a part of what it lacks to another one; above 1 is more than that."""
        return Room(
            int(self.num_bytes + part_of_bytes * (other.num_bytes - self.num_bytes)),
            int(self.num_files + part_of_files * (other.num_files - self.num_files)),
        )


LARGE = Room(2**30, 100_000)


def main() -> None:
    """Disturb the commands, compare, and print the number of full disks."""
    if not _can_mount():
        print("skipped: mounting a tmpfs needs root, or user namespaces (unshare -rm)")
        return
    rows = []
    for case in ALL.values() if BINARY.value == "all" else [ALL[BINARY.value]]:
        with begun(case) as tried:
            rows.append({"binary": case.name, **fill_disks(tried, case)})
    output.publish("disks", rows, OUT.value)


def _can_mount() -> bool:
    """Whether a tmpfs can be mounted, in a user namespace of its own if this user is not root."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.suppress(errors.FailedError),
        mounted(pathlib.Path(folder)),
    ):
        return True
    inside = ["unshare", "-rm", sys.executable, "-m", "tests.faults.disks", *sys.argv[1:]]
    if (
        os.getuid()
        and shutil.which("unshare")
        and subprocess.run(["unshare", "-rm", "true"], check=False).returncode == 0
    ):
        os.execvp(inside[0], inside)
    return False


@contextlib.contextmanager
def mounted(folder: pathlib.Path, room: Room = LARGE, *options: str) -> Iterator[None]:
    """A context in which a tmpfs with so much room is mounted on a folder."""
    _mount(folder, room, *options)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _mount(folder: pathlib.Path, room: Room, *options: str) -> None:
    wanted = ",".join([*options, f"size={room.num_bytes}", f"nr_inodes={room.num_files}"])
    process = subprocess.run(["mount", "-t", "tmpfs", "-o", wanted, "tmpfs", folder], capture_output=True, check=False)
    if process.returncode:
        raise errors.FailedError(f"mount: {process.stderr.decode().strip()}")


def _used(folder: pathlib.Path) -> Room:
    status = os.statvfs(folder)
    return Room((status.f_blocks - status.f_bfree) * status.f_frsize, status.f_files - status.f_ffree)


def fill_disks(tried: Cases, case: Case) -> dict[str, Any]:
    """Run a command on disks with room for each part of what it needs."""
    expected, begin, peak = _undisturbed(tried, case)
    rooms = [begin.between(peak, part, 2.0) for part in BYTES] + [begin.between(peak, 2.0, part) for part in FILES]
    num_full, failures = 0, 0
    for room in progress.track(rooms, f"filling the disk of {case.name}", len(rooms), "disks"):
        with _work_on(tried, case, room) as work:
            title = f"{case.name}, room for {room.num_bytes:,} bytes and {room.num_files} files"
            code, text = _run(tried, case, work)
            num_full += code != 0
            problems = _problems(code, text, work) if code else []
            _mount(work, LARGE, "remount")
            failures += kills.is_failure(title, problems or tried.finish(case, work), expected, work)
    return {"disks": len(rooms), "full": num_full, "failures": failures}


@contextlib.contextmanager
def _work_on(tried: Cases, case: Case, room: Room) -> Iterator[pathlib.Path]:
    """A context of a folder to work in, on a disk of its own."""
    work = tried.work(case)
    start = work.with_name("start")
    work.rename(start)
    work.mkdir()
    with mounted(work, room):
        shutil.copytree(start, work, dirs_exist_ok=True)
        yield work
    tried.remove(work)


def _undisturbed(tried: Cases, case: Case) -> tuple[dict[str, Any], Room, Room]:
    """What a command leaves on a large disk, and the room that is used at its begin and at most."""
    with _work_on(tried, case, LARGE) as work:
        begin = peak = _used(work)

        def before(operation: Operation) -> Action:
            nonlocal peak
            now = _used(work)
            peak = Room(max(peak.num_bytes, now.num_bytes), max(peak.num_files, now.num_files))
            return Action.CONTINUE

        with TracedProcess(case.command(tried.home, work), work, before) as process:
            kills.check_code(process.wait(), process)
        return contents.of_folder(work), begin, peak


def _run(tried: Cases, case: Case, work: pathlib.Path) -> tuple[int, str]:
    process = subprocess.run(
        case.command(tried.home, work),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return process.returncode, process.stderr


def _problems(code: int, text: str, work: pathlib.Path) -> list[str]:
    """What is wrong with how a command failed."""
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    problems = [] if code == 1 else [f"exit code {code}, expected 1"]
    if len(lines) != 1 or "Traceback" in text or not re.match(r"error: --?\w+=|error: \w+=", lines[0]):
        problems.append(f"expected one line `error: FLAG=...`, got {lines or text[-300:]}")
    left = [str(path.relative_to(work)) for path in work.rglob("*") if LEFTOVER.search(path.name)]
    return problems + [f"{name}: left by the failed command" for name in left]


if __name__ == "__main__":
    app.run(main, flags)
