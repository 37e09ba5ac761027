"""Kill a command at its file operations or at random moments, and check that it ends as an undisturbed one.

    python -m tests.faults.kills --binary=train --at=operations     # each file operation once
    python -m tests.faults.kills --binary=tune --at=random --kills=20
    python -m tests.faults.kills --binary=pareto --at=random        # tune with several objectives

With `--at=operations`, one run is traced, and the folder is copied before each operation that changes a file (creating,
half of a write, renaming, ...): a SIGKILL at that moment leaves that. Each copy that differs from the one before it is
continued by the same command, those of commands without worker processes one after the other in one process. With
`--at=random` a process gets SIGKILL at random moments: the command itself, with `--binary=worker` the processes of its
worker pool, or with `--binary=workers` one of the two workers of a distributed training, whose launcher starts them
again. A command is started again in the same folder until it ends, undisturbed from the fifth kill on; kills after the
end are not counted. Each end must have the files of an undisturbed run, nothing else, and in them the same weights,
records and figures; times may differ. Otherwise the exit code is 1.
"""

import dataclasses
import pathlib
import random
import signal
import time
from typing import Any

from pipeline.common import app, errors, progress
from tests.faults.tracing import contents, output
from tests.faults.tracing.cases import CASES, Case, Cases, begun, searched
from tests.faults.tracing.tracer import MAIN, WORKER, Action, Operation, TracedProcess
from tuning.sessions.config import TUNERS

MAX_KILLS = 5  # of one run, which then goes on undisturbed
ORPHAN_SECONDS = 10.0  # in which the processes of a killed command must end

flags = app.Flags()
BINARY = flags.DEFINE_enum("binary", "train", tuple(CASES), "command to disturb")
AT = flags.DEFINE_enum("at", "operations", ("operations", "random"), "moments of the kills")
TUNER = flags.DEFINE_enum("tuner", "random", TUNERS, "search algorithm of tune, worker and chief")
KILLS = flags.DEFINE_integer("kills", 20, "number of kills with --at=random", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "random seed of the moments")
OUT = flags.DEFINE_path("out", "", "JSON file to write")


def main() -> None:
    """Disturb the command, compare, and print the number of kills."""
    case = CASES[BINARY.value]
    case = dataclasses.replace(case, search=searched(TUNER.value) if case.search else ())
    with begun(case) as cases:
        if AT.value == "operations":
            row = at_every_operation(cases, case)
        else:
            row = at_random_moments(cases, case, KILLS.value, random.Random(SEED.value))
    output.publish("kills", [{"binary": case.name, "at": AT.value, **row}], OUT.value)


def at_every_operation(cases: Cases, case: Case) -> dict[str, Any]:
    """Continue a command from what a kill at each of its file operations leaves."""
    work, states, seen = cases.work(case), cases.home / "states", [{}]
    names: dict[pathlib.Path, str] = {}
    states.mkdir()

    def before(operation: Operation) -> Action:
        now = contents.raw(work)
        if operation.kind != "start" and now != seen[-1]:
            seen.append(now)
            state = states / str(operation.number)
            contents.copy(work, state)
            names[state] = f"operation {operation.number}, {operation.kind} {operation.path.name}"
        return Action.CONTINUE

    with cases.joining_worker(case, work), TracedProcess(case.command(cases.home, work), work, before) as process:
        check_code(process.wait(), process)
        num_operations = process.count
    expected, failures = contents.of_folder(work), 0
    cases.remove(work)
    works = {cases.work(case, state): name for state, name in names.items()}
    ends = zip(works, cases.finish_all(case, list(works)), strict=True)
    for work, problems in progress.track(ends, "continuing", len(works), "states"):
        failures += is_failure(works[work], problems, expected, work)
        cases.remove(work)
    return {"operations": num_operations, "states": len(names), "failures": failures}


def at_random_moments(cases: Cases, case: Case, kills: int, moments: random.Random) -> dict[str, Any]:
    """Kill a command, or its workers, until `kills` have met it."""
    expected, seconds = undisturbed(cases, case)
    left, num_runs, failures = kills, 0, 0
    with progress.task(f"killing {case.name}", kills, "kills") as task:
        while left:
            work = cases.work(case)
            num_kills, problems = disturb(cases, case, work, moments, seconds, min(left, MAX_KILLS))
            if problems and not num_kills:
                raise errors.FailedError(f"the undisturbed command: {problems[0]}")
            task.advance(num_kills)
            left, num_runs = left - num_kills, num_runs + 1
            failures += is_failure(f"run {num_runs}, {num_kills} kills", problems, expected, work)
            cases.remove(work)
    return {"kills": kills, "runs": num_runs, "failures": failures}


def undisturbed(cases: Cases, case: Case) -> tuple[dict[str, Any], float]:
    """What a command leaves, and the seconds that it takes."""
    work, began = cases.work(case), time.perf_counter()
    problems = cases.finish(case, work)
    if problems:
        raise errors.FailedError(f"{case.name}: {problems[0]}")
    seconds, expected = time.perf_counter() - began, contents.of_folder(work)
    cases.remove(work)
    return expected, seconds


def disturb(
    cases: Cases, case: Case, work: pathlib.Path, moments: random.Random, seconds: float, max_kills: int
) -> tuple[int, list[str]]:
    """Kill a command at most `max_kills` times, each at most `seconds` after its start, and let it end.

    Returns the number of kills, and the problems.
    """
    num_kills, problems = 0, list[str]()
    with cases.joining_worker(case, work):
        while not problems:
            with TracedProcess(case.command(cases.home, work), work) as process:
                while num_kills < max_kills and process.wait(moments.uniform(0.0, seconds)) is None:
                    if case.name == "workers":
                        num_kills += process.kill(WORKER, lambda pids: [moments.choice(pids)])
                    elif case.name == "worker":
                        num_kills += process.kill(WORKER)
                    else:
                        num_kills += process.kill(MAIN)
                        process.process.wait()
                code = process.wait()
                if code != -signal.SIGKILL:
                    return num_kills, [f"exit code {code}: {process.last_line()}"] if code else []
                problems = [f"still running: {pid}" for pid in process.orphans(ORPHAN_SECONDS)]
    return num_kills, problems


def check_code(code: int | None, process: TracedProcess) -> None:
    """Raise errors.FailedError where an undisturbed command has failed."""
    if code:
        raise errors.FailedError(f"the undisturbed command: exit code {code}: {process.last_line()}")


def is_failure(title: str, problems: list[str], expected: dict[str, Any], work: pathlib.Path) -> bool:
    """Whether a command failed, or left something else than expected; prints what."""
    problems = problems or contents.differences(expected, contents.of_folder(work))
    for problem in problems:
        print(f"{title}: {problem}", flush=True)
    return bool(problems)


if __name__ == "__main__":
    app.run(main, flags)
