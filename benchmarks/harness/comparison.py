"""Compare the rows of a benchmark with those of an earlier run.

rows = compare(old_rows, new_rows, tolerance=0.1)
[row.name for row in rows if row.verdict == WORSE]
"""

import dataclasses
import re
import statistics
from collections.abc import Sequence

from benchmarks.harness.results import Row
from models.config import renamed

# Of a unit: whether more of it is better. Rows of other units (accuracies, costs) are shown, and never judged.
IS_MORE_BETTER = {
    **dict.fromkeys(("images/s", "GFLOP/s", "GB/s", "trials/h"), True),
    **dict.fromkeys(("s", "ms", "CPU s", "MiB", "KiB/epoch"), False),
}
SPEED_UNITS = ("images/s", "GFLOP/s", "GB/s", "s", "ms")
# Parts of the names of rows in results of earlier releases -> today's.
RENAMED = {"1_KeepPart": "1_HoldOut", **renamed.VALUES["augmentation"], **renamed.VALUES["preset"]}
BETTER, SAME, WORSE, NOT_JUDGED = "better", "the same", "WORSE", "not judged"


@dataclasses.dataclass(frozen=True)
class Change:
    """One row that both runs have."""

    name: str
    unit: str
    old: float  # the medians
    new: float
    ratio: float  # how many times as good the new median is: above 1 is better, whatever the unit
    low: float  # the ratios of the extremes: the worst new value to the best old one, and the best to the worst
    high: float
    verdict: str  # BETTER, SAME, WORSE, or NOT_JUDGED
    has_spread: bool  # whether both runs measured it more than once
    is_ours: bool  # whether its speed depends on this project's code; that of peers and ceilings is the machine's

    @property
    def agrees(self) -> bool:
        """Whether the spreads of the two runs overlap."""
        return self.low <= 1.0 <= self.high


def compare(old: Sequence[Row], new: Sequence[Row], tolerance: float) -> list[Change]:
    """The changes of the rows that both runs have and whose values are above 0, in the order of the new rows.

    A row counts as the same where it is worse by up to `tolerance` of the old median (0.1 is a tenth), or where the
    spreads overlap.
    """
    earlier = {today(row.name): row for row in old}
    pairs = [(earlier[row.name], row) for row in new if row.name in earlier]
    return [
        _change(before, row, tolerance)
        for before, row in pairs
        if before.unit == row.unit and min(before.min, row.min) > 0
    ]


def today(name: str) -> str:
    """The name that a row has now; peers keep theirs."""
    return re.sub(rf"(?<!^peer)/({'|'.join(RENAMED)})(?=/|$)", lambda match: f"/{RENAMED[match[1]]}", name)


def machine_ratio(changes: Sequence[Change]) -> float | None:
    """How many times as fast the machine was: the median over peers and ceilings; None without such rows."""
    ratios = [change.ratio for change in changes if not change.is_ours and change.unit in SPEED_UNITS]
    return statistics.median(ratios) if ratios else None


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
