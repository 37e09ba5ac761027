"""The table of the committed reports of studies."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from pipeline.common import markdown_table
from pipeline.common.markdown_table import Column
from tuning.studies import page


def table(studies: pathlib.Path) -> list[str]:
    """A line for each STUDY/report.json in the folder `studies`, with a link to its page."""
    rows = [
        (path.parent.name, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(studies.glob("*/report.json"))
    ]
    columns: list[Column[tuple[str, Mapping[str, Any]]]] = [
        Column("study", lambda row: f"[{page.title(row[1])}](studies/{row[0]}/report.md)"),
        Column("question", lambda row: row[1]["question"]),
        Column("variants", lambda row: str(len(row[1]["variants"])), is_number=True),
        Column("seeds per variant", lambda row: _seeds(row[1]), is_number=True),
    ]
    return markdown_table.lines(columns, rows)


def _seeds(report: Mapping[str, Any]) -> str:
    """`2`, or `1 to 2` where rows differ."""
    numbers = {len(row["seeds"]) for row in report["variants"]}
    return " to ".join(str(number) for number in sorted({min(numbers), max(numbers)}))
