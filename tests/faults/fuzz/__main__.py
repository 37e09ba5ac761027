"""Read random inputs with every reader of outside data, and count those that it mishandles.

    python -m tests.faults.fuzz --seconds=60                   # a minute for each reader
    python -m tests.faults.fuzz --seconds=60 --reader=pickle

An input is mishandled if it ends the process, takes more than 20 s or 1 GiB, runs or writes anything, or raises another
error than the reader's own, of one line. Input N of a seed is the same in every call; stderr names the mishandled ones.
"""

import dataclasses

from models.reporting import table
from pipeline.common import app, errors, markdown_table, progress
from pipeline.common.markdown_table import field
from tests.faults.fuzz.readers import READERS
from tests.faults.fuzz.runner import Counts, fuzz

flags = app.Flags()
SECONDS = flags.DEFINE_float("seconds", 60.0, "seconds for each reader", lower_bound=1.0)
READER = flags.DEFINE_list("reader", [], f"readers, of {', '.join(READERS)}; default: all")
SEED = flags.DEFINE_integer("seed", 0, "random seed of the inputs")


def main() -> None:
    """Try every reader, and print a table."""
    for name in READER.value:
        if name not in READERS:
            raise errors.BadArgumentError(f"reader={name}: expected some of {', '.join(READERS)}")
    rows = []
    with progress.task("trying readers", len(READER.value or READERS), "readers") as task:
        for name in READER.value or READERS:
            rows.append(fuzz(name, seed=SEED.value, seconds=SECONDS.value))
            task.advance()
    columns = [field(one.name, heading=one.name) for one in dataclasses.fields(Counts)]
    table.wide_console().print(table.of_texts(markdown_table.cells(columns, rows), "inputs", folds_numbers=False))
    mishandled = sum(row.mishandled for row in rows)
    print(f"mishandled: {mishandled} of {sum(row.inputs for row in rows):,} inputs")
    if mishandled:
        raise errors.FailedError(f"{mishandled} inputs are mishandled, expected 0")


if __name__ == "__main__":
    app.run(main, flags)
