"""A benchmark's rows beside those of an earlier run: how many times as good, and whether that is worse than allowed.

rows = compare(old_rows, new_rows, tolerance=0.1)
[row.name for row in rows if row.verdict == WORSE]
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

# Of a unit: whether more of it is better. Rows of other units (accuracies, costs) are shown beside, and never judged.
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
OF_OTHERS = ("peer/", "ours/ceiling/")  # how fast they are is no doing of ours
OF_SPEED = ("images/s", "GFLOP/s", "s", "ms")
BETTER, SAME, WORSE, NOT_JUDGED = "better", "the same", "WORSE", "not judged"


@dataclasses.dataclass(frozen=True)
class Change:
    """One row that both runs have.

    Attributes:
      name: of the row.
      unit: of its values.
      old, new: the medians.
      ratio: how many times as good the new median is: above 1 is better, whatever the unit.
      low, high: the same of the extremes: the new run's worst by the old one's best, and the other way round.
      verdict: BETTER, SAME, WORSE, or NOT_JUDGED.
      has_spread: whether both runs measured it more than once.
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

    @property
    def agrees(self) -> bool:
        """Whether the spreads of the two runs overlap: they may have measured the same."""
        return self.low <= 1.0 <= self.high


def compare(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], tolerance: float) -> list[Change]:
    """Every row that stands in both and is above 0 throughout, in the order of the new ones.

    Args:
      old: rows of an earlier run, as `results.row` makes them.
      new: rows of this one.
      tolerance: how much worse, as a part of the old median, is still the same: 0.1 is a tenth. So are rows whose
        spreads overlap.
    """
    earlier = {row["name"]: row for row in old}
    return [_change(earlier[row["name"]], row, tolerance) for row in new if _is_comparable(row, earlier)]


def machine_ratio(changes: Sequence[Change]) -> float | None:
    """How many times as fast the machine itself was: the median of what is no doing of ours; None without such rows."""
    ratios = [change.ratio for change in changes if change.name.startswith(OF_OTHERS) and change.unit in OF_SPEED]
    return statistics.median(ratios) if ratios else None


def _is_comparable(row: Mapping[str, Any], earlier: Mapping[str, Mapping[str, Any]]) -> bool:
    other = earlier.get(row["name"])
    return other is not None and other["unit"] == row["unit"] and min(other["min"], row["min"]) > 0


def _change(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float) -> Change:
    ratio, low, high = new["median"] / old["median"], new["min"] / old["max"], new["max"] / old["min"]
    is_more_better = IS_MORE_BETTER.get(new["unit"])
    if is_more_better is False:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    has_spread = min(old["repeats"], new["repeats"]) > 1
    verdict = NOT_JUDGED
    if is_more_better is not None and not new["name"].startswith(OF_OTHERS):
        is_noise = has_spread and low <= 1.0 <= high
        verdict = SAME if is_noise or abs(ratio - 1) <= tolerance else WORSE if ratio < 1 else BETTER
    return Change(new["name"], new["unit"], old["median"], new["median"], ratio, low, high, verdict, has_spread)
