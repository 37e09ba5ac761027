"""The tables of what the commands of tests/faults have written with --out."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column

MUTATION = "mutation.json"


def table(folder: pathlib.Path) -> list[str]:
    """A line for each row of each JSON file but MUTATION: its command, its counts, its commit."""
    paths = [path for path in sorted(folder.glob("*.json")) if path.name != MUTATION]
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    rows = [(document, row) for document in documents for row in document["rows"]]
    columns: list[Column[tuple[dict[str, Any], dict[str, Any]]]] = [
        Column("command", lambda pair: f"`{pair[0]['command']}`"),
        Column("binary", lambda pair: str(pair[1]["binary"])),
        Column("tried", lambda pair: _counts(pair[1])),
        Column("failures", lambda pair: str(pair[1]["failures"]), is_number=True),
        Column("commit", lambda pair: pair[0]["git_commit"][:7]),
    ]
    return markdown_table.lines(columns, rows)


def mutants(folder: pathlib.Path) -> list[str]:
    """A line for each module with the number of its mutants by result, one for all, and the command."""
    document = json.loads((folder / MUTATION).read_text(encoding="utf-8"))
    columns: list[Column[dict[str, Any]]] = [
        Column("module", lambda row: row["module"]),
        *(
            Column(name.replace("_", " "), _number(name), is_number=True)
            for name in document["rows"][0]
            if name != "module"
        ),
    ]
    origin = f"`{document['command']}`, commit {document['git_commit'][:7]}"
    return [*markdown_table.lines(columns, document["rows"]), "", origin]


def _number(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: f"{row[name]:,}"


def _counts(row: dict[str, Any]) -> str:
    """`65 operations, 43 states`: the numbers of a row but its failures."""
    counts = {key: value for key, value in row.items() if isinstance(value, int) and key != "failures"}
    return ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in counts.items())
