"""Tables of Markdown pages."""

from collections.abc import Iterable, Sequence


def lines(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines: its heading, the rule under it, one a row."""
    return [row(heading), row(["---"] * len(heading)), *map(row, rows)]


def row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"
