"""Tables from typed rows: each column says how a row becomes a cell.

columns = [Column("name", lambda row: row.name), Column("images/s", lambda row: f"{row.rate:,.0f}", is_number=True)]
markdown_table.lines(columns, rows)
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")


@dataclasses.dataclass(frozen=True)
class Column(Generic[Row]):
    """One column of a table."""

    heading: str
    cell: Callable[[Row], str]
    is_number: bool = False  # aligned to the right
    is_optional: bool = False  # left out where every cell is empty


def literal(text: str) -> str:
    """A text in one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", " ".join(text.split()))


def field(name: str, text: Callable[[Any], str] = str, heading: str = "", is_optional: bool = False) -> Column[Any]:
    """A column of one attribute of the rows; the cell is empty where it is None."""

    def cell(row: Any) -> str:
        value = getattr(row, name)
        return "" if value is None else text(value)

    return Column(heading or name, cell, is_number=text is not str, is_optional=is_optional)


def cells(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> list[list[str]]:
    """The texts of a table: its headings, then a list for each row."""
    return [list(texts) for texts in zip(*(texts for _, texts in _filled(columns, rows)), strict=True)]


def lines(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> list[str]:
    """The lines of a table in Markdown: its headings, the rule below, a line for each row."""
    filled = _filled(columns, rows)
    rule = ["---:" if column.is_number else "---" for column, _ in filled]
    heading, *others = zip(*(texts for _, texts in filled), strict=True)
    return [f"| {' | '.join(texts)} |" for texts in (heading, rule, *others)]


def _filled(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> list[tuple[Column[Row], list[str]]]:
    """Each column that is shown, with its heading and its cells."""
    rows = list(rows)
    filled = [(column, [column.heading, *map(column.cell, rows)]) for column in columns]
    return [(column, texts) for column, texts in filled if not column.is_optional or any(texts[1:])]
