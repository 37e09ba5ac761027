"""Rows of `benchmarks.profile`, made up."""

from typing import Any

from benchmarks.harness import results
from benchmarks.harness.labels import Labels
from benchmarks.profile.parts import MULTIPLYING, PARTS


def profile_rows(*recipes: str) -> list[dict[str, Any]]:
    """The rows of recipes whose parts take 10, 20, ... ms; each takes 1.5 times as long as the one before."""
    rows = [results.row(Labels("ours/ceiling/copy_bandwidth", "ceiling"), "GB/s", [20.0])]
    for dtype, gflops in (("float32", 150.0), ("bfloat16", 600.0)):
        labels = Labels.of("ours/ceiling/{dtype}", "ceiling", dtype=dtype)
        rows.append(results.row(labels, "GFLOP/s", [gflops]))
    for number, recipe in enumerate(recipes):
        fields = {"recipe": recipe, "precision": "mixed_bfloat16", "batch_size": 384}
        scale = 1.5**number
        for metric, ms in (("step", 560.0), ("operations", 900.0)):
            labels = Labels.of("ours/{recipe}/{precision}/{metric}", metric, metric=metric, **fields)
            rows.append(results.row(labels, "ms", [ms * scale]))
        for place, part in enumerate(PARTS, start=1):
            labels = Labels.of("ours/{recipe}/{precision}/{metric}", "part", metric=part, **fields)
            rate = {"tflops": 0.04 * place, "intensity": 10.0 * place + 3 * number} if part in MULTIPLYING else {}
            rows.append(results.row(labels, "ms", [10.0 * place * scale], gib=0.1, **rate))
    return [row.as_json() for row in rows]
