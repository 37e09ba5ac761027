"""The Pareto front of a session's trials."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.sessions.trade_offs.objectives import is_maximized

Record = Mapping[str, Any]


def front(records: Sequence[Record], names: Sequence[str]) -> list[Record]:
    """The trials that no other one dominates, best first in the first objective.

    One dominates another where it is as good in every objective and better in one; so equal trials are all on the front
    or none is. Trials without a finite value of every objective, such as failed ones, are not.
    """
    points = [(_losses(record, names), record) for record in records]
    points = [(losses, record) for losses, record in points if all(map(math.isfinite, losses))]
    best = [(losses, record) for losses, record in points if not any(_dominates(other, losses) for other, _ in points)]
    return [record for _, record in sorted(best, key=lambda point: (point[0], point[1]["id"]))]


def _losses(record: Record, names: Sequence[str]) -> tuple[float, ...]:
    values = record.get("objectives", {})
    return tuple(-values.get(name, math.nan) if is_maximized(name) else values.get(name, math.nan) for name in names)


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(mine <= its for mine, its in zip(one, other, strict=True))
