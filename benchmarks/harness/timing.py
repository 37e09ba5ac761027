"""Timing in interleaved rounds, with a separate warm-up, waits for the device, and the range of the rounds.

    timings = interleave([Case(ours, run, 512), Case(peer, other_run, 512)], repeats=5)     # ours, peer: Labels
    timings[ours.name].median, ratio(timings[ours.name], timings[peer.name])

Machines are shared: what slows one case in a round slows the others, so ratios are taken within rounds.
"""

import dataclasses
import functools
import math
import statistics
import time
from collections.abc import Callable, Sequence

from benchmarks.harness.labels import Labels

MAX_CALLS = 4096


@dataclasses.dataclass(frozen=True)
class Case:
    """One thing to measure, and the labels of its row."""

    labels: Labels
    run: Callable[[], object]  # does the work once and returns when the device has finished it
    num_units: int  # how many units (images, say) that work is
    before: Callable[[], object] = lambda: None  # prepares a `run`, outside of the measured time
    after: Callable[[], object] = lambda: None  # removes that, so that nothing runs on during the cases that follow

    @property
    def name(self) -> str:
        """Of its row."""
        return self.labels.name


@dataclasses.dataclass(frozen=True)
class Timing:
    """The measurements of one case: seconds of its first call (tracing included), and units a second of the others."""

    labels: Labels
    first_s: float
    rates: tuple[float, ...]

    @property
    def name(self) -> str:
        """Of its row."""
        return self.labels.name

    @property
    def median(self) -> float:
        """Units a second."""
        return statistics.median(self.rates)


def interleave(
    cases: Sequence[Case],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
    each: Callable[[], object] = lambda: None,
) -> dict[str, Timing]:
    """The timings by the cases' names, which differ: each case once to warm up, then `repeats` rounds A B A B ...

    `each` is called after each call, outside of the measured time.
    """

    def seconds_of(case: Case) -> float:
        case.before()
        started = clock()
        case.run()
        spent = clock() - started
        case.after()
        each()
        return spent

    first = {case.name: seconds_of(case) for case in cases}
    seconds: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            seconds[case.name].append(seconds_of(case))
    return {
        case.name: Timing(case.labels, first[case.name], tuple(case.num_units / spent for spent in seconds[case.name]))
        for case in cases
    }


def ratio(timing: Timing, base: Timing) -> float:
    """How many times the rate of `base`: the median over the rounds of the ratio within a round."""
    return statistics.median(ours / theirs for ours, theirs in zip(timing.rates, base.rates, strict=True))


def seconds_of(run: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def calls_within(run: Callable[[int], object], round_s: float, fewest: int = 1) -> int:
    """How many calls, `fewest` to `MAX_CALLS`, take `round_s` seconds or more.

    `run` makes that many calls and waits for the device.
    """
    count = fewest
    while (spent := seconds_of(functools.partial(run, count))) < round_s and count < MAX_CALLS:
        count = min(math.ceil(count * min(1.2 * round_s / spent, 8.0)), MAX_CALLS)
    return count
