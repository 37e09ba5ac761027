"""List the benchmarks: what each one measures, and the command that runs it.

    python -m benchmarks.bench

Each is a binary of its own with --help; `make bench` runs those that have a quick form.
"""

import ast
import pathlib

from rich.table import Table

from models.reporting.table import wide_console
from pipeline.common import app

_FOLDER = pathlib.Path(__file__).parent
BENCHMARKS = {path.parent.name: path for path in sorted(_FOLDER.glob("*/__main__.py"))}
BENCHMARKS["accuracy"] = _FOLDER / "accuracy.py"


def main() -> None:
    """Print a line each."""
    table = Table("command", "what it measures", box=None, padding=(0, 3, 0, 0), header_style="bold")
    for name in BENCHMARKS:
        table.add_row(f"python -m benchmarks.{name}", summary(name))
    wide_console().print(table)


def summary(name: str) -> str:
    """The first line of a benchmark's docstring, read without importing it."""
    text = ast.get_docstring(ast.parse(BENCHMARKS[name].read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0]


def run() -> None:
    """The console script `cifar-bench`."""
    app.run(main)


if __name__ == "__main__":
    run()
