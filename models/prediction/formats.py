"""Rows as text: a table for people, JSON lines, CSV. Each row is written as it comes, and none is kept."""

import csv
import functools
import io
import json
import re
from collections.abc import Iterable
from typing import Any, Protocol

from rich.cells import cell_len

from models.prediction.rows import Answer, Row
from pipeline.datasets.description import Classes

MAX_PATH_WIDTH, MAX_LABEL_WIDTH = 60, 30  # columns of a table; what is longer is not cut
GAP = "  "  # between columns
# A text that spreadsheets compute, or import as such; a negative number is none.
_FORMULA = re.compile(r"[=+@\t\r]|-(?!([0-9]+\.?[0-9]*|\.[0-9]+)\Z)")


class Format(Protocol):
    """Writes rows as text."""

    def heading(self) -> str:
        """What comes before the rows."""

    def text(self, row: Row) -> str:
        """A row, ended by a line break."""


class Table:
    """A line for each class of an image, in columns whose widths follow from the names; a file's path may be wider."""

    def __init__(self, paths: Iterable[str], classes: Classes, has_fine: bool) -> None:
        longest = max((_num_cells(printable(path)) for path in paths), default=0)
        fine, coarse = (_width(names) for names in (classes.fine, classes.coarse))
        of_image, percent = ("image", min(max(longest, 5), MAX_PATH_WIDTH)), ("%", -6)
        of_coarse = [("superclass", coarse), percent] if classes.coarse else []
        of_fine = [("class", fine), *[("its superclass", coarse)] * bool(classes.coarse), percent]
        # Those of the first line of an image, and those of each answer.
        first, each = ([of_image, *of_coarse], of_fine) if has_fine else ([of_image], of_coarse)
        self._names, self._widths = zip(*first, *each, strict=True)
        self._has_fine, self._widths_of_answer = has_fine, self._widths[len(first) : -1]
        self._blank = _cells(("",) * len(first), self._widths)

    def heading(self) -> str:
        """The names of the columns."""
        return self._line(*self._names)

    def text(self, row: Row) -> str:
        """A line for each answer; the image is named in the first one."""
        if row.error:
            return self._line(row.path, row.error)
        begin = _padded(row.path, self._widths[0]) + GAP
        if self._has_fine and row.coarse:
            begin += _answer(row.coarse, self._widths[1:2]) + GAP
        lines = []
        for answer in row.top:
            lines.append(f"{begin}{_answer(answer, self._widths_of_answer)}\n")
            begin = self._blank
        return "".join(lines)

    def _line(self, *texts: str) -> str:
        return _cells(texts, self._widths).rstrip() + "\n"


class JsonLines:
    """An object a line, as `json.dumps` writes it by default: in ASCII, so that names of any bytes survive."""

    _encode = json.JSONEncoder(allow_nan=False).encode  # `dumps` makes an encoder for each call

    def heading(self) -> str:
        """Nothing."""
        return ""

    def text(self, row: Row) -> str:
        """`Row.as_dict`."""
        return self._encode(row.as_dict()) + "\n"


class Csv:
    """RFC 4180, every text quoted, a column for each value.

    A text that a spreadsheet would compute begins with an apostrophe, and such a path with `./`, which names the same
    file (OWASP, "CSV Injection").
    """

    def __init__(
        self, num_top: int, *, has_fine: bool, has_coarse: bool, has_truth: bool, has_picture: bool = False
    ) -> None:
        levels = [level for level, there in (("fine", has_fine), ("coarse", has_coarse)) if there]
        self._names = ["path", "error", *(["coarse", "coarse_probability"] if has_coarse else [])]
        for rank in range(1, num_top + 1):
            superclass = [f"superclass_{rank}"] if has_fine and has_coarse else []
            self._names += [f"label_{rank}", *superclass, f"probability_{rank}"]
        if has_truth:
            self._names += [name for level in levels for name in (f"true_{level}", f"is_{level}_right")]
        self._names += ["picture"] * has_picture

    def heading(self) -> str:
        """The names of the columns."""
        return _csv_line(self._names)

    def text(self, row: Row) -> str:
        """The values of a row; empty ones are those that it lacks."""
        path = f"./{row.path}" if _FORMULA.match(row.path) else row.path
        values: dict[str, Any] = {"error": _safe(row.error), "picture": row.picture}
        if row.coarse:
            values |= _named(row.coarse, {"label": "coarse", "probability": "coarse_probability"})
        for rank, answer in enumerate(row.top, start=1):
            values |= _named(answer, {name: f"{name}_{rank}" for name in ("label", "superclass", "probability")})
        values |= {name: _safe(value) if isinstance(value, str) else value for name, value in row.judgement().items()}
        return _csv_line([path, *(values.get(name, "") for name in self._names[1:])])


def printable(text: str) -> str:
    """A text in one line that does nothing to a terminal: control, format and unknown characters as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _answer(answer: Answer, widths: tuple[int, ...]) -> str:
    """Its name, its superclass where there are two widths, and its percentage."""
    return f"{_cells((answer.label, answer.superclass), widths)}{100 * answer.probability:6.2f}"


@functools.lru_cache(1 << 12)  # labels come again and again
def _cells(texts: tuple[str, ...], widths: tuple[int, ...]) -> str:
    """Texts in as many columns as both have, and a gap behind each."""
    return "".join(_padded(text, width) + GAP for text, width in zip(texts, widths, strict=False))


def _padded(text: str, width: int) -> str:
    """A text in a column, on the right where `width` is negative."""
    text = printable(text)
    blank = " " * (abs(width) - _num_cells(text))
    return blank + text if width < 0 else text + blank


def _num_cells(text: str) -> int:
    """The width of a printable text; `cell_len` takes 10 times as long."""
    return len(text) if text.isascii() else cell_len(text)


def _width(names: tuple[str, ...]) -> int:
    return min(max(map(_num_cells, map(printable, (*names, "its superclass")))), MAX_LABEL_WIDTH)


def _named(answer: Answer, names: dict[str, str]) -> dict[str, Any]:
    values = answer.as_dict()
    return {names[key]: _safe(value) if isinstance(value, str) else value for key, value in values.items()}


def _safe(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _csv_line(values: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n").writerow(values)
    return line.getvalue()
