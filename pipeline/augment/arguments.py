"""Checks of the arguments of transforms; each returns the argument as one of Python's numbers."""

import math
from typing import Any

import numpy as np


def number(
    name: str, value: Any, low: float, high: float = math.inf, *, above: bool = False, below: bool = False
) -> Any:
    """A finite number from `low` to `high`, not `low` itself if `above`, not `high` itself if `below`.

    Raises:
      ValueError: it is something else.
    """
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if is_number and math.isfinite(value):
        is_high_enough = value > low if above else value >= low
        is_low_enough = value < high if below else value <= high
        if is_high_enough and is_low_enough:
            return value if type(value) in (int, float) else float(value)
    upper = "" if high == math.inf else f" and {'below' if below else 'at most'} {high:g}"
    raise ValueError(f"{name}={value!r}: expected a number {'above' if above else 'of at least'} {low:g}{upper}")


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`.

    Raises:
      ValueError: it is something else.
    """
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if is_whole and value >= low and (high is None or value <= high):
        return int(value)
    expected = f"of at least {low}" if high is None else f"from {low} to {high}"
    raise ValueError(f"{name}={value!r}: expected a whole number {expected}")
