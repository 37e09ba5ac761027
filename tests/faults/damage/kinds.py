"""Kinds of damage: what a file holds after it, a folder in its place, or nothing."""

import json
import pathlib
import random
from collections.abc import Callable
from typing import Any

NUM_FLIPS = 24


def _flipped(seed: int) -> Callable[[bytes], bytes]:
    def damaged(data: bytes) -> bytes:
        place, bit = random.Random(seed).randrange(len(data)), seed % 8
        return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]

    return damaged


def _with(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """A damage of the first JSON object of a file; a file that is none gets the change of an empty one."""

    def damaged(data: bytes) -> bytes:
        first, line, rest = data.partition(b"\n") if data.startswith(b'{"') else (data, b"", b"")
        try:
            value = json.loads(first)
        except ValueError:
            value = {}
        value = value if isinstance(value, dict) else {}
        change(value)
        return json.dumps(value).encode() + line + rest

    return damaged


def _drop_first(value: dict[str, Any]) -> None:
    if value:
        value.pop(next(iter(value)))


def _shorten(value: Any, *, last: bool) -> bool:
    """Remove the last item of the first or the last list in a value that has items; whether one has."""
    if isinstance(value, list) and value:
        value.pop()
        return True
    values = list(value.values()) if isinstance(value, dict) else []
    return any(_shorten(one, last=last) for one in (reversed(values) if last else values))


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),  # as after a loss of power
    "truncated": lambda data: data[: len(data) // 2],
    **{f"one flipped bit, seed {seed}": _flipped(seed) for seed in range(NUM_FLIPS)},
    "random bytes": lambda data: random.Random(0).randbytes(200),
    "a list": lambda data: b"[]\n",
    "null": lambda data: b"null\n",
    "a number": lambda data: b"7\n",
    "an empty object": lambda data: b"{}\n",
    "a field is missing": _with(_drop_first),
    "every field is null": _with(lambda value: value.update(dict.fromkeys(value))),
    "every field is a list": _with(lambda value: value.update({name: [] for name in value})),
    "the first list is shorter": _with(lambda value: _shorten(value, last=False)),
    "the last list is shorter": _with(lambda value: _shorten(value, last=True)),
    "not a number": _with(lambda value: value.update({"x": float("nan")})),
    "UTF-16": lambda data: data.decode("latin-1").encode("utf-16"),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "Latin-1": lambda data: data + "é".encode("latin-1"),
    "of a newer version": _with(lambda value: value.update({"config_format": 99, "a_new_key": {"b": 1}})),
    "nested deeply": lambda data: b"[" * 100_000,
}
KINDS = (*CONTENTS, "a folder", "missing")
# Those that commands get: enough flips for different kinds of places.
OF_BYTES = (
    "empty",
    "zeros",
    "truncated",
    *(f"one flipped bit, seed {seed}" for seed in range(3)),
    "a folder",
    "missing",
)
OF_TEXT = (
    *OF_BYTES,
    *("a list", "null", "an empty object", "a field is missing", "every field is null", "every field is a list"),
    *("the first list is shorter", "the last list is shorter"),
    *("of a newer version", "nested deeply"),
)


def damage(path: pathlib.Path, kind: str) -> None:
    """Damage a file in one of KINDS."""
    data = path.read_bytes()
    if kind not in CONTENTS:
        path.unlink()
    if kind == "a folder":
        path.mkdir()
    if kind in CONTENTS:
        path.write_bytes(CONTENTS[kind](data))
