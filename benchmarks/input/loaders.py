"""A loader makes an endless iterator of batches of known size; measuring it is consuming a number of them."""

import dataclasses
import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from pipeline.common import errors


@dataclasses.dataclass(frozen=True)
class Loader:
    """One way to load the batches of a training step."""

    labels: Labels  # of its row, its batch size among them
    make: Callable[[], Iterator[Any]]  # called for each measurement

    @property
    def is_slow(self) -> bool:
        """Whether one pass over the images is enough to time."""
        return self.labels.kind == "stage" or self.labels.cache in ("disk", "none")

    def case(self, num_images: int, passes: int) -> Case:
        """A case of that number of passes over the images, of a slow loader one, after one pass that is not timed.

        The iterator is made for each measurement and closed after it. Otherwise a loader that prefetches would fill its
        buffers while others are measured, and empty them in its own turn.
        """
        assert self.labels.batch_size is not None
        batches_in_pass = max(1, num_images // self.labels.batch_size)
        count = batches_in_pass if self.is_slow else passes * batches_in_pass
        iterators: list[Iterator[Any]] = []

        def before() -> None:
            iterators.append(self.make())
            consume(iterators[0], batches_in_pass)

        def run() -> None:
            consume(iterators[0], count)

        return Case(self.labels, run, count * self.labels.batch_size, before, after=lambda: close(iterators))


def consume(iterator: Iterator[Any], count: int) -> None:
    """Take that number of batches; fewer are an errors.FailedError, since the rate would look as if there were not."""
    consumed = sum(1 for _ in itertools.islice(iterator, count))
    if consumed != count:
        raise errors.FailedError(f"a loader ended after {consumed} of {count} batches; expected an endless one")


def close(iterators: list[Iterator[Any]]) -> None:
    """Drop the iterators in the list, and with them their buffers and threads."""
    iterators.clear()
    gc.collect()
