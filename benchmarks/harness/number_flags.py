"""Flags that are lists of numbers, such as --sizes=1000,10000."""

import math
from typing import TypeVar

from pipeline.common import errors

Number = TypeVar("Number", int, float)


def parse(flag: str, texts: list[str], kind: type[Number], example: str, high: float = math.inf) -> tuple[Number, ...]:
    """The numbers of a flag, each once, in their order.

    Raises:
      errors.BadArgumentError: there is no number, or one is not finite, not of that kind, not above 0 or above `high`.
    """
    try:
        numbers = tuple(dict.fromkeys(kind(text) for text in texts))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 < number <= high and number < math.inf for number in numbers):
        expected = "whole numbers" if kind is int else "numbers"
        limits = f"above 0 and at most {high:g}" if high < math.inf else "above 0"
        raise errors.BadArgumentError(f"{flag}={','.join(texts)}: expected {expected} {limits}, such as {example}")
    return numbers
