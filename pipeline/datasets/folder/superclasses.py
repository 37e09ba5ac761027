"""Reads superclasses.csv: the superclass of each class, as spreadsheets and editors write it."""

import codecs
import csv
import io
import pathlib
from collections.abc import Collection

from pipeline.datasets.folder import names
from pipeline.datasets.folder.names import TreeError

FILE_NAME = "superclasses.csv"


def read(path: pathlib.Path, classes: Collection[str]) -> dict[str, str]:
    """The superclass of each of the classes; TreeError unless the file names each of them once, and no other."""
    try:
        superclasses = _parse(_text(path.read_bytes()))
        _check(superclasses, classes)
    except (TreeError, csv.Error) as error:
        raise TreeError(f"{FILE_NAME}: {error}") from error
    return superclasses


def _text(data: bytes) -> str:
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TreeError("expected UTF-8, got another encoding; save it as CSV in UTF-8") from error


def _parse(text: str) -> dict[str, str]:
    header = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
    if sorted(rows.fieldnames) != ["coarse", "fine"]:
        raise TreeError(f"expected the header fine,coarse, got {header.strip()[:80]!r}")
    superclasses: dict[str, str] = {}
    for row in rows:
        if not any(row.values()):  # an empty line of a spreadsheet
            continue
        if None in row or not (row["fine"] and row["coarse"]):
            raise TreeError(f"line {rows.line_num}: expected two names; put a name with a comma in quotes")
        fine, coarse = names.composed(row["fine"]), names.composed(row["coarse"])
        if fine in superclasses:
            raise TreeError(f"line {rows.line_num}: expected each class once, got {fine!r} again")
        superclasses[fine] = coarse
    return superclasses


def _check(superclasses: dict[str, str], classes: Collection[str]) -> None:
    missing, unknown = set(classes) - set(superclasses), set(superclasses) - set(classes)
    if missing:
        raise TreeError(f"expected a line for each class, got none for {names.some(missing)}")
    if unknown:
        raise TreeError(f"expected the names of class folders, got {names.some(unknown)}")
    if len(set(superclasses.values())) < 2:
        raise TreeError(f"expected at least two superclasses, got {names.some(set(superclasses.values()))}")
