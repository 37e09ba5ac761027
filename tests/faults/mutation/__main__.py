"""Draw mutants of the modules that guard correctness, and run the tests of each module on them.

    python -m tests.faults.mutation --mutants=150 --seed=0

A mutant is killed if a test fails or its tests time out. The survivors and those that time out are printed as
differences; those that no input can tell from the module are listed with the reason (tests/faults/mutation/targets.py).
The exit code is 1 if fewer than 95 % of the others are killed. The draw of a mutant does not depend on other lines of
its module.
"""

import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from models.reporting import table
from models.runtime.git_commit import git_commit
from pipeline.common import app, errors, files, markdown_table, progress
from pipeline.common.config import CHECKOUT
from pipeline.common.markdown_table import field
from tests.faults.mutation import runner
from tests.faults.mutation.mutants import Mutant, draw
from tests.faults.mutation.targets import EQUIVALENT, TESTS

MIN_KILLED = 0.95  # of the mutants that change behaviour
RESULTS = ("equivalent", runner.KILLED, runner.TIMED_OUT, runner.SURVIVED)

flags = app.Flags()
MUTANTS = flags.DEFINE_integer("mutants", 150, "number of mutants", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "random seed of the draw")
MODULES = flags.DEFINE_list("modules", [], "modules to mutate, such as pipeline/split.py; default: all")
OUT = flags.DEFINE_path("out", "", "JSON file to write")


@dataclasses.dataclass(frozen=True)
class Row:
    """The number of mutants of a module by their result."""

    module: str
    drawn: int
    equivalent: int
    killed: int
    timed_out: int
    survived: int


def main() -> None:
    """Draw, run and report."""
    for name in MODULES.value:
        if name not in TESTS:
            raise errors.BadArgumentError(f"modules={name}: expected some of {', '.join(TESTS)}")
    git_commit()  # of the modules that are read now; another commit may be checked out when the tests end
    modules = MODULES.value or list(TESTS)
    sources = [(module, (CHECKOUT / module).read_text(encoding="utf-8")) for module in modules]
    drawn = draw(sources, MUTANTS.value, SEED.value)
    mutants_of: dict[str, list[Mutant]] = {result: [] for result in RESULTS}
    for mutant in drawn:
        if mutant.key in EQUIVALENT:
            mutants_of["equivalent"].append(mutant)
            _print("equivalent", mutant)
    others = [mutant for mutant in drawn if mutant.key not in EQUIVALENT]
    with progress.task("testing mutants", len(others), "mutants") as task:

        def each(mutant: Mutant, result: str) -> None:
            task.advance()
            mutants_of[result].append(mutant)
            if result != runner.KILLED:
                _print(result, mutant)

        runner.run(CHECKOUT, others, TESTS, each)
    rows = [_row(module, mutants_of) for module in (*modules, "all")]
    columns = [field(one.name, heading=one.name.replace("_", " ")) for one in dataclasses.fields(Row)]
    table.wide_console().print(table.of_texts(markdown_table.cells(columns, rows), "mutants", folds_numbers=False))
    share = 1 - len(mutants_of[runner.SURVIVED]) / max(len(others), 1)
    print(f"killed: {share:.1%} of the {len(others)} mutants that change behaviour")
    if OUT.value:
        files.write_json(pathlib.Path(OUT.value), _document(rows, mutants_of))
    if share < MIN_KILLED:
        raise errors.FailedError(f"{share:.1%} of the mutants are killed, expected {MIN_KILLED:.0%}")


def _print(result: str, mutant: Mutant) -> None:
    """Print a mutant as a difference, and the reason where it is equivalent."""
    reason = [f"  {EQUIVALENT[mutant.key]}"] if mutant.key in EQUIVALENT else []
    place = f"{mutant.module}:{mutant.line} {mutant.function}"
    print(f"{result}: {place}", f"- {mutant.before}", f"+ {mutant.after}", *reason, sep="\n", flush=True)


def _row(module: str, mutants_of: Mapping[str, Sequence[Mutant]]) -> Row:
    """The row of a module, or of "all"."""
    counts = {
        result: sum(module in ("all", mutant.module) for mutant in mutants) for result, mutants in mutants_of.items()
    }
    return Row(module, sum(counts.values()), **counts)


def _document(rows: Sequence[Row], mutants_of: Mapping[str, Sequence[Mutant]]) -> dict[str, Any]:
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--out")]
    return {
        "command": shlex.join(["python", "-m", "tests.faults.mutation", *arguments]),
        "git_commit": git_commit(),
        "rows": [dataclasses.asdict(row) for row in rows],
        **{result: [_change(one) for one in mutants_of[result]] for result in RESULTS if result != runner.KILLED},
    }


def _change(mutant: Mutant) -> dict[str, str]:
    """The change of a mutant, and the reason where it is equivalent."""
    change = {name: getattr(mutant, name) for name in ("module", "function", "before", "after")}
    return change | ({"reason": EQUIVALENT[mutant.key]} if mutant.key in EQUIVALENT else {})


if __name__ == "__main__":
    app.run(main, flags)
