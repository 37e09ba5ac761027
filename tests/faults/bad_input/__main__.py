"""Call every binary with bad values of each of its flags, and check that each is refused.

    python -m tests.faults.bad_input

A refusal is one line that begins with the flag's name, exit code 2, and no new file. Most calls run in this process, in
which the work of a binary cannot begin; --command_line of them, drawn by --seed, run in processes of their own. Prints
the numbers tried and mishandled, and what is wrong with each of the latter; the exit code is 1 if there is one.
"""

import dataclasses
import pathlib
import random
import tempfile

from models.reporting import table as text_table
from pipeline.common import app, errors, markdown_table, progress
from pipeline.common.markdown_table import field
from tests.faults.bad_input import calls, table

flags = app.Flags()
COMMAND_LINE = flags.DEFINE_integer("command_line", 60, "number of calls in processes of their own", lower_bound=0)
SEED = flags.DEFINE_integer("seed", 0, "random seed of their draw", lower_bound=0)


@dataclasses.dataclass
class Row:
    """The number of calls of a binary, and of those that were not refused as they should be."""

    binary: str
    flags: int
    tried: int = 0
    command_line: int = 0
    mishandled: int = 0


NUMBERS = [one.name for one in dataclasses.fields(Row)][1:]


def main() -> None:
    """Call, and print a row for each binary."""
    entries = {binary: table.entries(binary) for binary in table.binaries()}
    every = [entry for some in entries.values() for entry in some]
    drawn = random.Random(SEED.value).sample(every, min(COMMAND_LINE.value, len(every)))
    rows = {binary: Row(binary, len({entry.flag for entry in some})) for binary, some in entries.items()}
    tries = [(entry, calls.on_the_command_line) for entry in drawn]
    tries += [(entry, calls.in_this_process) for entry in every if entry not in drawn and not entry.needs_tensorflow]
    # A thread of the progress would write among what a call writes.
    progressing = progress.task("calling binaries", len(tries), "calls", in_background=False)
    with calls.without_flags(flags), progressing as task:
        for entry, call in tries:
            with tempfile.TemporaryDirectory(prefix="bad-input-") as folder:
                problem = call(entry, pathlib.Path(folder))
            rows[entry.binary].tried += 1
            rows[entry.binary].command_line += call is calls.on_the_command_line
            rows[entry.binary].mishandled += bool(problem)
            if problem:
                print(f"{entry.binary} {' '.join(entry.arguments)[:200]!r} ({entry.kind}): {problem}", flush=True)
            task.advance()
    shown = [row for row in rows.values() if row.tried]
    total = Row("all", *(sum(getattr(row, name) for row in shown) for name in NUMBERS))
    columns = [field("binary"), *(field(name, format, name.replace("_", " ")) for name in NUMBERS)]
    texts = markdown_table.cells(columns, [*shown, total])
    text_table.wide_console().print(text_table.of_texts(texts, "bad input", folds_numbers=False))
    if total.mishandled:
        raise errors.FailedError(f"{total.mishandled} of {total.tried} calls were not refused as they should be")


if __name__ == "__main__":
    app.run(main, flags)
