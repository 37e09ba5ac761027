"""Compare the rows of a benchmark with those of an earlier run.

rows = compare(old_rows, new_rows, tolerance=0.1)
[row.name for row in rows if row.verdict == WORSE]
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.harness.results import Row

# Of a unit: whether more of it is better. Rows of other units (accuracies, costs) are shown, and never judged.
IS_MORE_BETTER = {
    "images/s": True,
    "GFLOP/s": True,
    "trials/h": True,
    "s": False,
    "ms": False,
    "CPU s": False,
    "MiB": False,
    "KiB/epoch": False,
}
SPEED_UNITS = ("images/s", "GFLOP/s", "s", "ms")
BETTER, SAME, WORSE, NOT_JUDGED = "better", "the same", "WORSE", "not judged"


@dataclasses.dataclass(frozen=True)
class Change:
    """One row that both runs have.

    Attributes:
      name: of the row.
      unit: of its values.
      old, new: the medians.
      ratio: how many times as good the new median is: above 1 is better, whatever the unit.
      low, high: the ratios of the extremes: the worst new value to the best old one, and the best to the worst.
      verdict: BETTER, SAME, WORSE, or NOT_JUDGED.
      has_spread: whether both runs measured it more than once.
      is_ours: whether its speed depends on this project's code; that of peers and ceilings depends on the machine.
    """

    name: str
    unit: str
    old: float
    new: float
    ratio: float
    low: float
    high: float
    verdict: str
    has_spread: bool
    is_ours: bool

    @property
    def agrees(self) -> bool:
        """Whether the spreads of the two runs overlap."""
        return self.low <= 1.0 <= self.high


def compare(old: Sequence[Row], new: Sequence[Row], tolerance: float) -> list[Change]:
    """The changes of the rows that both runs have and whose values are above 0, in the order of the new rows.

    Args:
      old: rows of an earlier run.
      new: rows of this run.
      tolerance: the part of the old median by which a row may be worse and still count as the same: 0.1 is a tenth.
        Rows whose spreads overlap count as the same, too.
    """
    earlier = {row.name: row for row in old}
    return [_change(earlier[row.name], row, tolerance) for row in new if _is_comparable(row, earlier)]


def machine_ratio(changes: Sequence[Change]) -> float | None:
    """How many times as fast the machine was: the median over peers and ceilings; None without such rows."""
    ratios = [change.ratio for change in changes if not change.is_ours and change.unit in SPEED_UNITS]
    return statistics.median(ratios) if ratios else None


def _is_comparable(row: Row, earlier: Mapping[str, Row]) -> bool:
    other = earlier.get(row.name)
    return other is not None and other.unit == row.unit and min(other.min, row.min) > 0


def _change(old: Row, new: Row, tolerance: float) -> Change:
    ratio, low, high = new.median / old.median, new.min / old.max, new.max / old.min
    is_more_better = IS_MORE_BETTER.get(new.unit)
    if is_more_better is False:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    has_spread = min(old.repeats, new.repeats) > 1
    is_ours = new.peer is None and new.kind != "ceiling"
    verdict = NOT_JUDGED
    if is_more_better is not None and is_ours:
        is_noise = has_spread and low <= 1.0 <= high
        verdict = SAME if is_noise or abs(ratio - 1) <= tolerance else WORSE if ratio < 1 else BETTER
    return Change(new.name, new.unit, old.median, new.median, ratio, low, high, verdict, has_spread, is_ours)
