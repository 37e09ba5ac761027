"""Names of classes, and how messages show names."""

import unicodedata
from collections.abc import Collection


class TreeError(ValueError):
    """What is wrong with a folder of images, in one line, and where it helps what to do."""


def composed(text: str) -> str:
    """The name that a folder or a file gives to a class: in Unicode's composed form, without white space around it.

    macOS decomposes the letters of file names, so that the bytes of one name differ between machines.
    """
    return unicodedata.normalize("NFC", text).strip()


def check(names: Collection[str]) -> None:
    """Raise TreeError for a name that a file with one name a line cannot hold."""
    for name in names:
        kinds = {unicodedata.category(character) for character in name}
        if not name or kinds & {"Cc", "Cs", "Zl", "Zp"}:
            raise TreeError(f"{name!r} cannot be the name of a class: expected one line of UTF-8; rename it")


def some(names: Collection[str], limit: int = 3) -> str:
    """The first of many names, as messages show them: `'a', 'b', 'c' and 4 more`."""
    rest = len(names) - limit
    return ", ".join(map(repr, sorted(names)[:limit])) + (f" and {rest:,} more" if rest > 0 else "")
