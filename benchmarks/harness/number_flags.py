"""Flags that are lists of numbers, such as --sizes=1000,10000."""

import math
from typing import TypeVar

from pipeline.common import errors

Number = TypeVar("Number", int, float)


def parse(flag: str, texts: list[str], kind: type[Number], example: str) -> tuple[Number, ...]:
    """The numbers of a flag, each once, in the order given.

    Raises:
      errors.BadArgumentError: there is none, or one is no finite number of that kind above 0.
    """
    try:
        found = tuple(dict.fromkeys(kind(text) for text in texts))
    except ValueError:
        found = ()
    if not found or not all(0 < number < math.inf for number in found):
        numbers = "whole numbers" if kind is int else "numbers"
        raise errors.BadArgumentError(f"{flag}={','.join(texts)}: expected {numbers} above 0, such as {example}")
    return found
