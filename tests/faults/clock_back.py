"""Set the clock back by an hour while a command runs, and check that it ends as an undisturbed one, and no later.

    python -m tests.faults.clock_back --moments=3

The clock is that of Python (`time.time`, `datetime.now`) in the command and in its worker processes; it is set back at
a random file operation, the first time before the command begins. Otherwise the exit code is 1.
"""

import random
import time
from typing import Any

from pipeline.common import app, progress
from tests.faults import kills, power_loss
from tests.faults.tracing import output
from tests.faults.tracing.cases import CASES, Case, Cases, begun
from tests.faults.tracing.tracer import Action, Operation, TracedProcess

HOUR_SECONDS = 3600
flags = app.Flags()
BINARIES = power_loss.BINARIES
BINARY = flags.DEFINE_enum("binary", "all", ("all", *BINARIES), "command to disturb")
MOMENTS = flags.DEFINE_integer("moments", 3, "runs of each command", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "random seed of the moments")
OUT = flags.DEFINE_path("out", "", "JSON file to write")


def main() -> None:
    """Run the commands, compare, and print the number of runs."""
    rows, generator = [], random.Random(SEED.value)
    for name in BINARIES if BINARY.value == "all" else [BINARY.value]:
        with begun(CASES[name]) as cases:
            rows.append({"binary": name, **set_back(cases, CASES[name], MOMENTS.value, generator)})
    output.publish("clock_back", rows, OUT.value)


def set_back(cases: Cases, case: Case, moments: int, generator: random.Random) -> dict[str, Any]:
    """Run a command `moments` times, with the clock set back at another moment each time."""
    began = time.monotonic()
    expected, num_operations = power_loss.undisturbed(cases, case)
    limit, failures = 60.0 + 10.0 * (time.monotonic() - began), 0  # other work may slow the machine down
    numbers = [0, *(generator.randint(1, num_operations) for _ in range(moments - 1))]
    for number in progress.track(numbers, f"setting the clock of {case.name} back", moments, "runs"):
        work = cases.work(case)

        def before(operation: Operation, number: int = number) -> Action:
            return Action.CLOCK_BACK if operation.number >= number else Action.CONTINUE

        with (
            cases.joining_worker(case, work),
            TracedProcess(case.command(cases.home, work), work, before, clock_back_s=HOUR_SECONDS) as process,
        ):
            code = process.wait(limit)
            if code is None:
                problems = [f"has not ended after {limit:.0f} s"]
            else:
                problems = [f"exit code {code}: {process.last_line()}"] if code else []
        failures += kills.is_failure(f"{case.name}, clock set back at operation {number}", problems, expected, work)
        cases.remove(work)
    return {"runs": moments, "failures": failures}


if __name__ == "__main__":
    app.run(main, flags)
