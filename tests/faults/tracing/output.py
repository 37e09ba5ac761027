"""The figures of a command of this folder: printed as a table, and written as JSON with `--out`."""

import shlex
import sys
from collections.abc import Sequence
from typing import Any

from models.reporting import table
from models.runtime.git_commit import git_commit
from pipeline.common import cpu, errors, files, markdown_table, paths


def publish(name: str, rows: Sequence[dict[str, Any]], out: str) -> None:
    """Print the rows, whose keys are the columns, and write them to `out`, if that is a path.

    Raises:
      errors.FailedError: a row counts `failures`.
    """
    columns = [markdown_table.Column(key.replace("_", " "), lambda row, key=key: str(row[key])) for key in rows[0]]
    texts = markdown_table.cells(columns, rows)
    table.wide_console().print(table.of_texts(texts, name, folds_numbers=False))
    if out:
        arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--out")]
        document = {
            "command": shlex.join(["python", "-m", f"tests.faults.{name}", *arguments]),
            "git_commit": git_commit(),
            "num_processors": cpu.count(),
            "rows": list(rows),
        }
        path = paths.local(out, "out")
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, document)
        print(f"written: {path}")
    failures = sum(row["failures"] for row in rows)
    if failures:
        raise errors.FailedError(f"{failures} ends differ from the undisturbed one")
