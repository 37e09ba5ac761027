"""The rows of `benchmarks.memory`: the report of each process, what would not fit, and what died."""

import dataclasses
import functools
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import results, subprocess_call
from benchmarks.harness.labels import Labels
from benchmarks.memory import cases
from pipeline.common.process import memory
from pipeline.datasets import builtin

Measure = Callable[[], list[results.Row]]

LEAK_VIEWS = 4_000
SETTLING = 0.2  # part of the epochs during which buffers and caches fill
PIXEL_BYTES = 3 * 4  # of three channels as float32
SHARE_OF_MEMORY = 0.7  # of what is free, that a peer may take


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured."""

    views: tuple[int, ...]
    limits_gib: tuple[float, ...]
    max_steps: int
    repeats: int
    epochs: int
    data: dict[str, Any]
    image_size: int = builtin.IMAGE_SIZE


def measures(plan: Plan, with_peers: bool) -> list[Measure]:
    """The measurements of a plan, in their order; each returns its rows."""
    calls: list[Measure] = [functools.partial(_ours, plan, views) for views in plan.views]
    if with_peers:
        calls += [functools.partial(_study, plan, views) for views in plan.views]
    for limit in plan.limits_gib:
        calls.append(functools.partial(_ours_limited, plan, limit))
        if with_peers:
            calls.append(functools.partial(_study_limited, plan, limit))
    return [*calls, functools.partial(_leak, plan)] if plan.epochs else calls


def _ours(plan: Plan, views: int) -> list[results.Row]:
    arguments = {**plan.data, "views": views, "max_steps": plan.max_steps}
    reports = [subprocess_call.call(cases.ours, **arguments) for _ in range(plan.repeats)]
    labels = {kind: Labels.of(f"ours/{kind}/{{views}}", kind, views=views) for kind in ("peak", "steady")}
    return [results.row(of, "MiB", [report[f"{kind}_mib"] for report in reports]) for kind, of in labels.items()]


def _study(plan: Plan, views: int) -> list[results.Row]:
    labels = Labels.of("peer/{peer}/peak/{views}", "peak", peer="study", views=views)
    mib = views * plan.image_size**2 * PIXEL_BYTES / 2**20
    predicted = mib * 2**20 > SHARE_OF_MEMORY * memory.available_bytes()
    if not predicted:
        mib = subprocess_call.call(cases.study, **plan.data, views=views)["peak_mib"]
    return [results.row(labels, "MiB", [mib], 1, predicted=predicted)]


def _ours_limited(plan: Plan, limit_gib: float) -> list[results.Row]:
    labels = Labels.of("ours/limit_{limit_gib:g}GiB/{views}", "limit", limit_gib=limit_gib, views=plan.views[-1])
    return [_limited(labels, cases.ours, **plan.data, max_steps=plan.max_steps)]


def _study_limited(plan: Plan, limit_gib: float) -> list[results.Row]:
    """The original study's way with each number of images in turn, until its process dies."""
    rows: list[results.Row] = []
    for views in plan.views:
        template = "peer/{peer}/limit_{limit_gib:g}GiB/{views}"
        labels = Labels.of(template, "limit", peer="study", limit_gib=limit_gib, views=views)
        rows.append(_limited(labels, cases.study, **plan.data))
        if not rows[-1].median:
            break
    return rows


def _limited(labels: Labels, function: subprocess_call.Function, **arguments: Any) -> results.Row:
    assert labels.limit_gib is not None
    report = subprocess_call.call_within(labels.limit_gib, function, views=labels.views, **arguments)
    return results.row(labels, "images", [report["images"] if report else 0])


def _leak(plan: Plan) -> list[results.Row]:
    views = min(LEAK_VIEWS, plan.views[0])
    report = subprocess_call.call(cases.epochs, **plan.data, views=views, count=plan.epochs)
    mib = report["mib"][int(SETTLING * len(report["mib"])) :]
    half = len(mib) // 2
    whole, *halves = _slope_kib(mib), _slope_kib(mib[:half]), _slope_kib(mib[half:])
    row = results.row(Labels.of("ours/leak", "leak", views=views), "KiB/epoch", [whole, *halves], 2)
    return [dataclasses.replace(row, median=whole, repeats=1, epochs=plan.epochs, median_mib=statistics.median(mib))]


def _slope_kib(mib: Sequence[float]) -> float:
    slope, _ = np.polyfit(range(len(mib)), mib, 1)
    return round(1024 * float(slope), 2)
