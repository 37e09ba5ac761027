"""The table of what the commands of tests/faults have written with --out."""

import json
import pathlib
from typing import Any

from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column


def table(folder: pathlib.Path) -> list[str]:
    """A line for each row of each JSON file: its command, its counts, its commit."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    rows = [(document, row) for document in documents for row in document["rows"]]
    columns: list[Column[tuple[dict[str, Any], dict[str, Any]]]] = [
        Column("command", lambda pair: f"`{pair[0]['command']}`"),
        Column("disturbed", lambda pair: str(pair[1]["binary"])),
        Column("tried", lambda pair: _counts(pair[1])),
        Column("failures", lambda pair: str(pair[1]["failures"]), is_number=True),
        Column("commit", lambda pair: pair[0]["git_commit"][:7]),
    ]
    return markdown_table.lines(columns, rows)


def _counts(row: dict[str, Any]) -> str:
    """`65 operations, 43 states`: the numbers of a row but its failures."""
    counts = {key: value for key, value in row.items() if isinstance(value, int) and key != "failures"}
    return ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in counts.items())
