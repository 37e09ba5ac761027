"""Numbers as flags: finite ones, and whole ones of at most 64 bits, as TensorFlow and NumPy have them; as text."""

import math
from typing import Any

from absl import flags

MAX_WHOLE = 2**63 - 1


def define_integer(
    name: str,
    default: int | None,
    help: str,
    *,
    flag_values: flags.FlagValues,
    lower_bound: int | None = None,
    upper_bound: int | None = None,
) -> "flags.FlagHolder[int]":
    """Define an absl flag whose value is a whole number of at most 64 bits."""
    flags.disclaim_key_flags()
    serializer = flags.ArgumentSerializer()
    parser = _WholeParser(lower_bound, upper_bound)
    return flags.DEFINE(parser, name, default, help, serializer=serializer, flag_values=flag_values)


def define_float(
    name: str, default: float, help: str, *, flag_values: flags.FlagValues, lower_bound: float | None = None
) -> "flags.FlagHolder[float]":
    """Define an absl flag whose value is a finite number."""
    flags.disclaim_key_flags()
    serializer = flags.ArgumentSerializer()
    parser = _FiniteParser(lower_bound)
    return flags.DEFINE(parser, name, default, help, serializer=serializer, flag_values=flag_values)


def counted(number: float, noun: str) -> str:
    """A number and what it counts, such as "1 image", "2,000 images" and "0.5 epochs"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    text = f"{number:g}" if isinstance(number, float) else f"{number:,}"
    return f"{text} {noun if number == 1 else plural}"


class _WholeParser(flags.IntegerParser):
    def convert(self, argument: Any) -> int:
        """The number of a text; ValueError where it is none, or too large."""
        value = super().convert(argument)
        if abs(value) > MAX_WHOLE:
            raise ValueError("expected a whole number below 2**63")
        return value


class _FiniteParser(flags.FloatParser):
    def convert(self, argument: Any) -> float:
        """The number of a text; ValueError where it is none, or not finite."""
        value = super().convert(argument)
        if not math.isfinite(value):
            raise ValueError(f"expected a finite number, got {argument}")
        return value
