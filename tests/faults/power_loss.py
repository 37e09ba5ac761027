"""Take a command's power away at random file operations, and check that it continues or that its result is whole.

    python -m tests.faults.power_loss --binary=train --moments=20

All processes of the command get SIGKILL before a random file operation, twice after its end. Then everything that was
not synchronized is lost: bytes written to a file since its last fsync and, at every other moment, also the names of
files that were made, renamed or removed since the last fsync of their folder. A file system is free to lose either. The
same command must then end as an undisturbed one. After its end the files must be whole even before it is called again.
Otherwise the exit code is 1.
"""

import pathlib
import random
import signal
from collections.abc import Callable
from typing import Any

from pipeline.common import app, progress
from tests.faults import kills
from tests.faults.tracing import contents, output
from tests.faults.tracing.cases import CASES, Case, Cases, begun
from tests.faults.tracing.disk import Disk
from tests.faults.tracing.tracer import Action, Operation, TracedProcess

flags = app.Flags()
BINARIES = tuple(name for name in CASES if name != "worker")  # which lose their power with their session
BINARY = flags.DEFINE_enum("binary", "train", BINARIES, "command to disturb")
MOMENTS = flags.DEFINE_integer(
    "moments", 20, "number of power failures; the first two come after the end", lower_bound=1
)
SEED = flags.DEFINE_integer("seed", 0, "random seed of the moments")
OUT = flags.DEFINE_path("out", "", "JSON file to write")


def main() -> None:
    """Disturb the command, compare, and print the number of power failures."""
    case = CASES[BINARY.value]
    with begun(case) as cases:
        row = lose_power(cases, case, MOMENTS.value, random.Random(SEED.value))
    output.publish("power_loss", [{"binary": case.name, **row}], OUT.value)


def lose_power(cases: Cases, case: Case, moments: int, generator: random.Random) -> dict[str, Any]:
    """Take the power away at `moments` moments, each in a run of its own."""
    expected, num_operations = undisturbed(cases, case)
    numbers = [None, None, *(generator.randint(1, num_operations) for _ in range(moments - 2))][:moments]
    titles, num_lost, is_wrong = {}, 0, set()
    for place, number in progress.track(list(enumerate(numbers)), f"disturbing {case.name}", moments, "moments"):
        work = cases.work(case)
        lost = disturb(cases, case, work, _at(number), loses_names=bool(place % 2))
        num_lost += bool(lost)
        moment = f"operation {number}" if number else "after the end"
        titles[work] = f"{moment}, lost: {', '.join(lost) or 'nothing'}"
        torn = contents.differences(expected, contents.of_folder(work)) if number is None else []
        torn = [problem for problem in torn if not problem.endswith(contents.LEFT_OVER)]  # which the next call removes
        if torn and kills.is_failure(titles[work], torn, expected, work):
            is_wrong.add(work)
    for work, problems in zip(titles, cases.finish_all(case, list(titles)), strict=True):
        if kills.is_failure(titles[work], problems, expected, work):
            is_wrong.add(work)
        cases.remove(work)
    return {"moments": moments, "moments_that_lost_something": num_lost, "failures": len(is_wrong)}


def _at(number: int | None) -> Callable[[Operation], bool]:
    return lambda operation: number is not None and operation.number >= number


def undisturbed(cases: Cases, case: Case) -> tuple[dict[str, Any], int]:
    """What a command leaves, and the number of its file operations."""
    work = cases.work(case)
    with cases.joining_worker(case, work), TracedProcess(case.command(cases.home, work), work) as process:
        kills.check_code(process.wait(), process)
        num_operations = process.count
    expected = contents.of_folder(work)
    cases.remove(work)
    return expected, num_operations


def disturb(
    cases: Cases, case: Case, work: pathlib.Path, fails: Callable[[Operation], bool], loses_names: bool
) -> list[str]:
    """Run a command until the power `fails` before an operation, or after the end; what was lost."""
    graveyard = work.with_name("graveyard")
    graveyard.mkdir()
    disk = Disk(graveyard)

    def before(operation: Operation) -> Action:
        if fails(operation):
            return Action.KILL_ALL
        disk.observe(operation)
        return Action.CONTINUE

    with cases.joining_worker(case, work), TracedProcess(case.command(cases.home, work), work, before) as process:
        code = process.wait()
        if code != -signal.SIGKILL:
            kills.check_code(code, process)
    return disk.lose_power(work, loses_names=loses_names)


if __name__ == "__main__":
    app.run(main, flags)
