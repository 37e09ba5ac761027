"""Timing that can be believed: sides interleaved round by round, warm-up apart, the device waited for, spread told.

    timings = interleave([Side("ours/x", run, 512), Side("peer/keras/x", other, 512)], repeats=5)
    timings["ours/x"].median, ratio(timings["ours/x"], timings["peer/keras/x"])

Machines are shared: what slows one side in a round slows the other, so the ratio is taken within rounds.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True)
class Side:
    """One thing to measure.

    Attributes:
      name: of its row, such as "ours/quick/float32".
      run: does the work once and returns when the device has finished it.
      num_units: how many units (images, say) that work is.
      before: what has to be there for each `run`, made outside the time.
      after: what takes it away again, so that nothing goes on behind the sides that follow.
    """

    name: str
    run: Callable[[], object]
    num_units: int
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None


@dataclasses.dataclass(frozen=True)
class Timing:
    """What was measured of one side: seconds of the first call (tracing included), and units a second of the others."""

    name: str
    first_s: float
    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        """Units a second."""
        return statistics.median(self.rates)


def interleave(
    sides: Sequence[Side],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
    each: Callable[[], object] = lambda: None,
) -> dict[str, Timing]:
    """Run every side once to warm up, then `repeats` rounds A B A B ..., and time each call; `each` follows each."""

    def seconds_of(side: Side) -> float:
        spent = _seconds(side, clock)
        each()
        return spent

    first = {side.name: seconds_of(side) for side in sides}
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(repeats):
        for side in sides:
            seconds[side.name].append(seconds_of(side))
    return {
        side.name: Timing(side.name, first[side.name], tuple(side.num_units / spent for spent in seconds[side.name]))
        for side in sides
    }


def ratio(timing: Timing, base: Timing) -> float:
    """How many times the rate of `base`: the median over the rounds of the ratio within a round."""
    return statistics.median(ours / theirs for ours, theirs in zip(timing.rates, base.rates, strict=True))


def _seconds(side: Side, clock: Callable[[], float]) -> float:
    side.before()
    started = clock()
    side.run()
    spent = clock() - started
    side.after()
    return spent
