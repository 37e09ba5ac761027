"""One field of a configuration: its type, default, range and help, and the values that it takes.

A value is checked wherever it comes from, so a flag, a file and a caller meet the same check and the same words.
"""

import contextlib
import dataclasses
import difflib
import fractions
import functools
import inspect
import math
import os
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipeline.common import errors, numbers, paths


class Part(NamedTuple):
    """A class whose fields a choice adds to a composition, each under the name `prefix` + field."""

    kind: type[Any]
    prefix: str = ""
    defaults: Mapping[str, Any] = {}  # where they are others than the class's


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    parts: Mapping[str, tuple[Part, ...]] | None = None,
    needs: str = "",
    low: float | None = None,
    high: float | None = None,
    identity: bool = True,
    is_path: bool = False,
) -> Any:
    """One field of a configuration: its default, its flag's `--help` text (with units) and the values allowed.

    `{part}` in the text is the prefix of the part. `low` and `high` bound a number or each one of a tuple; `choices`
    are the values of a string (none means any; `tfds:NAME` is any text behind the colon), and the keys of `parts`,
    which has the parts that each value adds. `needs` is a field of the composition ("init_from") that must be non-zero
    and non-empty, or have one value ("heads=both"), for this field to be read. `identity` is whether another value
    makes another run; a folder of data may move, and the run stays the same run. With `is_path` the value is a path as
    of `paths.local`, and "" stands for the default.
    """
    metadata = {"help": help, "choices": choices or tuple(parts or ()), "parts": parts or {}, "needs": needs}
    limits = {"low": low, "high": high, "identity": identity, "is_path": is_path}
    return dataclasses.field(default=default, metadata={**metadata, **limits})


class Setting(NamedTuple):
    """A field as a flag."""

    name: str
    kind: Any
    default: Any
    metadata: Mapping[str, Any]
    module: str  # under whose heading `--help` lists it
    help: str
    needs: str = ""
    choice: str = ""  # the field that adds it to a composition; "" if it is always there
    readers: Mapping[str, bool] = {}  # by value of that field: whether it does

    @property
    def where_read(self) -> str:
        """The flags with which the field is read, such as `--optimizer=sgd or muon`; "" if always."""
        conditions = [f"--{self.needs}"] if self.needs else []
        if self.choice:
            readers = [value for value, reads in self.readers.items() if reads]
            others = [value for value, reads in self.readers.items() if not reads]
            all_but_one = len(readers) > 3 and len(others) == 1
            condition = f"{self.choice} other than {others[0]}" if all_but_one else f"{self.choice}={_either(readers)}"
            conditions = [f"--{condition}", *conditions]
        return " and ".join(conditions)

    @property
    def range_in_words(self) -> str:
        """The range of a number, such as `at least 1`."""
        low, high = self.metadata["low"], self.metadata["high"]
        if high is None:
            return f"at least {low}"
        return f"at most {high}" if low is None else f"{low} to {high}"

    @property
    def example(self) -> str:
        """A value of a tuple's field as a flag takes it."""
        return as_text(self.default) or "20:0.15,24:0.35,32:0.5"

    def checked(self, value: Any) -> Any:
        """The value, lists and texts of tuples made tuples; errors.BadArgumentError where it is out of range."""
        value = self.as_tuple(value) if typing.get_origin(self.kind) is tuple else value
        if self.metadata["is_path"] and isinstance(value, str | os.PathLike):
            return str(paths.local(value, self.name)) if value else self.default
        choices, low, high = (self.metadata[key] for key in ("choices", "low", "high"))
        values = value if isinstance(value, tuple) else (value,)
        if not _has_type(value, self.kind):
            expected = getattr(self.kind, "__name__", self.kind)
        elif choices and not any(_is_choice(value, one) for one in choices):
            expected = f"one of {', '.join(choices)}{nearest(value, set(choices))}"
        elif not all(math.isfinite(number) for number in values if isinstance(number, float)):
            expected = "a finite number"
        elif any(abs(number) > numbers.MAX_WHOLE for number in values if isinstance(number, int)):
            expected = "a whole number below 2**63"
        elif any((low is not None and number < low) or (high is not None and number > high) for number in values):
            expected = self.range_in_words
        else:
            return value
        raise errors.BadArgumentError(f"{self.name}={value!r}: expected {expected}")

    def as_tuple(self, value: Any) -> Any:
        """The tuple that a text or a list stands for; errors.BadArgumentError where it is none of the field's type."""
        result = None
        if isinstance(value, str):
            with contextlib.suppress(ValueError, ZeroDivisionError):
                return _parsed(value, self.kind)
        elif isinstance(value, list | tuple):
            result = tuple(tuple(item) if isinstance(item, list) else item for item in value)
        if result is None or not _has_type(result, self.kind):
            raise errors.BadArgumentError(f"{self.name}={as_text(value)}: expected numbers such as {self.example}")
        return result


def _own_settings(config_class: type[Any]) -> dict[str, Setting]:
    """The fields that a class has itself, those of its bases included, by name."""
    types = typing.get_type_hints(config_class)
    return {
        field.name: Setting(
            field.name,
            types[field.name],
            field.default,
            field.metadata,
            next(base for base in config_class.__mro__ if field.name in inspect.get_annotations(base)).__module__,
            field.metadata["help"],
            field.metadata["needs"],
        )
        for field in dataclasses.fields(config_class)
        if field.metadata
    }


own_settings = typing.cast("Callable[[type[Any]], dict[str, Setting]]", functools.cache(_own_settings))


def nearest(name: str, known: set[str]) -> str:
    """`; did you mean 'X'?` where something close is known, else nothing."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _either(values: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(values[:-1]), values[-1]]))


def as_text(value: Any) -> str:
    """A value as a flag takes it: the tuple ((20, 0.5), (32, 0.5)) is 20:0.5,32:0.5."""
    if not isinstance(value, tuple | list):
        return str(value)
    return ",".join(":".join(map(str, item)) if isinstance(item, tuple | list) else str(item) for item in value)


def _parsed(text: str, kind: Any, separators: str = ",:") -> Any:
    """A tuple, or a number in one, from what `as_text` makes of it; ValueError if it is written otherwise."""
    if typing.get_origin(kind) is not tuple:
        if "_" in text:  # which Python takes within numbers
            raise ValueError(text)
        return float(fractions.Fraction(text)) if kind is float else kind(text)
    items = text.split(separators[0]) if text else []
    kinds = _item_kinds(kind, len(items))
    return tuple(_parsed(item, of_item, separators[1:]) for item, of_item in zip(items, kinds, strict=True))


def _item_kinds(kind: Any, length: int) -> tuple[Any, ...]:
    kinds = typing.get_args(kind)
    return kinds[:1] * length if kinds[-1] is Ellipsis else kinds


def _is_choice(value: str, choice: str) -> bool:
    """Whether a value is the choice, or begins as one such as `tfds:NAME` does, with something behind the colon."""
    prefix, colon, _ = choice.partition(":")
    return value == choice or (bool(colon) and value.startswith(prefix + colon) and len(value) > len(prefix + colon))


def _has_type(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is tuple:
        kinds = _item_kinds(kind, len(value))
        return len(kinds) == len(value) and all(map(_has_type, value, kinds))
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)
