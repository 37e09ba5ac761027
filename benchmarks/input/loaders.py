"""A feed is an endless iterator of batches of known size; measuring it is taking so many of them."""

import dataclasses
import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.harness.timing import Side
from pipeline.common import errors

Make = Callable[[], Iterator[Any]]


@dataclasses.dataclass(frozen=True)
class Feed:
    """One way to feed a training step.

    Attributes:
      name: of its row.
      make: the iterator; made anew for each call that is timed.
      batch_size: images that each of its items holds.
    """

    name: str
    make: Make
    batch_size: int

    def side(self, pass_images: int, passes: int) -> Side:
        """To be timed: so many passes, in whole batches, behind one that is not timed.

        The iterator is made for each call and let go of behind it: what a feed makes in advance would else fill its
        buffers while others are measured, to be taken from there in its own turn.
        """
        batches_a_pass = max(1, pass_images // self.batch_size)
        count = passes * batches_a_pass
        iterators: list[Iterator[Any]] = []

        def before() -> None:
            iterators.append(self.make())
            take(iterators[0], batches_a_pass)

        def run() -> None:
            take(iterators[0], count)

        return Side(self.name, run, count * self.batch_size, before, after=lambda: let_go(iterators))


def take(iterator: Iterator[Any], count: int) -> None:
    """So many of its items, one after the other.

    Raises:
      errors.FailedError: it has fewer; its rate would look as if it had them.
    """
    taken = sum(1 for _ in itertools.islice(iterator, count))
    if taken != count:
        raise errors.FailedError(f"a feed ended after {taken} of {count} batches; expected one without end")


def let_go(iterators: list[Iterator[Any]]) -> None:
    """Of the iterators in the list, and with them of their buffers and threads."""
    iterators.clear()
    gc.collect()
