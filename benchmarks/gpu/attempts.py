"""Measurements that are tried one after the other: one that fails, or has no time left, does not end the others."""

import time
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from pipeline.common import errors

Measured = TypeVar("Measured")


class Attempts:
    """Prints names and calls their functions, until `seconds` have passed.

    Attributes:
      failed: a line for each that raised an error of TensorFlow's or of ours.
      left_out: the names of those that were not called.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._end = clock, clock() + seconds
        self.failed: list[str] = []
        self.left_out: list[str] = []

    def __call__(self, name: str, function: Callable[[], Measured]) -> Measured | None:
        """What the function returns; None where it failed or was left out."""
        if self._clock() >= self._end:
            self.left_out.append(name)
            return None
        print(name, flush=True)  # compiling takes up to a minute
        try:
            return function()
        except (tf.errors.OpError, errors.FailedError, errors.BadArgumentError) as error:
            lines = str(error).strip().splitlines()  # TensorFlow's go on with the graph
            self.failed.append(f"{name}: {type(error).__name__}: {lines[0] if lines else 'no message'}")
            return None
