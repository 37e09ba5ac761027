"""Start a command twice at once in the same folder, and check that one works and the other waits or ends with one line.

    python -m tests.faults.two_at_once --rounds=3

At least one of the two must end with exit code 0, and the other too or with one line that names the flag of the folder.
The folder must then hold what one undisturbed command leaves. Otherwise the exit code is 1.
"""

import pathlib
import random
import re
import subprocess
import time
from typing import Any

from pipeline.common import app, progress
from tests.conftest import ROOT
from tests.faults import kills
from tests.faults.tracing import output
from tests.faults.tracing.cases import CASES, Case, Cases, begun

flags = app.Flags()
BINARIES = ("train", "prepare", "evaluate", "tune", "study")
BINARY = flags.DEFINE_enum("binary", "all", ("all", *BINARIES), "command to start twice")
ROUNDS = flags.DEFINE_integer("rounds", 3, "pairs of each command", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "random seed of the time between the two starts")
OUT = flags.DEFINE_path("out", "", "JSON file to write")
LINE = re.compile(r"error: (run|data|session|study)_dir=")


def main() -> None:
    """Start the commands in pairs, compare, and print how they ended."""
    rows, generator = [], random.Random(SEED.value)
    for name in BINARIES if BINARY.value == "all" else [BINARY.value]:
        with begun(CASES[name]) as cases:
            rows.append({"binary": name, **start_pairs(cases, CASES[name], ROUNDS.value, generator)})
    output.publish("two_at_once", rows, OUT.value)


def start_pairs(cases: Cases, case: Case, rounds: int, generator: random.Random) -> dict[str, Any]:
    """Start pairs of a command, the first one at once and the others some seconds apart."""
    expected, seconds = kills.undisturbed(cases, case)
    num_refused, failures = 0, 0
    for number in progress.track(range(rounds), f"starting {case.name} twice", rounds, "pairs"):
        work, delay = cases.work(case), generator.uniform(0.0, seconds) if number else 0.0
        codes, problems = _start_twice(cases, case, work, delay)
        num_refused += sum(code != 0 for code in codes)
        failures += kills.is_failure(f"{case.name}, {delay:.1f} s apart", problems, expected, work)
        cases.remove(work)
    return {"pairs": rounds, "refused": num_refused, "failures": failures}


def _start_twice(cases: Cases, case: Case, work: pathlib.Path, delay: float) -> tuple[list[int], list[str]]:
    """The exit codes of the two commands, and what is wrong with them."""
    command = case.command(cases.home, work)
    options = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options) as first:
        time.sleep(delay)
        with subprocess.Popen(command, **options) as second:
            texts = [process.communicate()[1] for process in (second, first)]
    codes = [second.returncode, first.returncode]
    problems = [] if 0 in codes else [f"exit codes {codes}, expected a 0"]
    for code, text in zip(codes, texts, strict=True):
        lines = [line for line in text.splitlines() if line.startswith("error: ")]
        if code and not (code == 1 and len(lines) == 1 and LINE.match(lines[0]) and "another process" in lines[0]):
            problems.append(f"exit code {code}: {lines or text[-300:]}")
    return codes, problems


if __name__ == "__main__":
    app.run(main, flags)
