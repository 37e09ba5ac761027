"""Rows for the tests of comparisons."""

from benchmarks.harness import results
from benchmarks.harness.labels import Labels


def row(name, unit, median, spread=0.02) -> results.Row:
    values = [median * (1 - spread), median, median * (1 + spread)]
    peer = name.split("/")[1] if name.startswith("peer/") else None
    kind = "ceiling" if "/ceiling/" in name else "step"
    return results.row(Labels(name, kind, peer=peer), unit, values, None)
