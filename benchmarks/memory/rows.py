"""The rows of `benchmarks.memory`: what each process said, what would not fit, what died."""

import dataclasses
import functools
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psutil

from benchmarks.harness import results, subprocess_call
from benchmarks.memory import cases

Measure = Callable[[], list[dict[str, Any]]]

LEAK_VIEWS = 4_000
SETTLING = 0.2  # part of the epochs in which buffers and caches still fill
BYTES_A_VIEW = 32 * 32 * 3 * 4
SHARE_OF_MEMORY = 0.7  # of the machine's, that a peer may take


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured."""

    views: tuple[int, ...]
    limits_gib: tuple[float, ...]
    max_steps: int
    repeats: int
    epochs: int
    data: dict[str, Any]


def measures(plan: Plan, with_peers: bool) -> list[Measure]:
    """What is to be called, one after the other, each for its rows."""
    found: list[Measure] = [functools.partial(_ours, plan, views) for views in plan.views]
    if with_peers:
        found += [functools.partial(_study, plan, views) for views in plan.views]
    for limit in plan.limits_gib:
        found.append(functools.partial(_ours_limited, plan, limit))
        if with_peers:
            found.append(functools.partial(_study_limited, plan, limit))
    return [*found, functools.partial(_leak, plan)] if plan.epochs else found


def _ours(plan: Plan, views: int) -> list[dict[str, Any]]:
    given = {**plan.data, "views": views, "max_steps": plan.max_steps}
    said = [subprocess_call.call(cases.ours, given) for _ in range(plan.repeats)]
    return [
        results.several(f"ours/{key}/{views}", "MiB", [one[f"{key}_mib"] for one in said]) for key in ("peak", "steady")
    ]


def _study(plan: Plan, views: int) -> list[dict[str, Any]]:
    predicted = views * BYTES_A_VIEW
    if predicted > SHARE_OF_MEMORY * psutil.virtual_memory().total:
        return [results.single(f"peer/study/peak/{views}", "MiB", round(predicted / 2**20, 1), predicted=True)]
    said = subprocess_call.call(cases.study, {**plan.data, "views": views})
    return [results.single(f"peer/study/peak/{views}", "MiB", round(said["peak_mib"], 1), predicted=False)]


def _ours_limited(plan: Plan, limit: float) -> list[dict[str, Any]]:
    views = plan.views[-1]
    given = {**plan.data, "views": views, "max_steps": plan.max_steps}
    said = subprocess_call.call_within(limit, cases.ours, given)
    return [results.single(f"ours/limit_{limit:g}GiB/{views}", "images", said["images"] if said else 0)]


def _study_limited(plan: Plan, limit: float) -> list[dict[str, Any]]:
    """The study's way with each number of images in turn, until it dies."""
    rows = []
    for views in plan.views:
        said = subprocess_call.call_within(limit, cases.study, {**plan.data, "views": views})
        images = said["images"] if said else 0
        rows.append(results.single(f"peer/study/limit_{limit:g}GiB/{views}", "images", images))
        if not images:
            break
    return rows


def _leak(plan: Plan) -> list[dict[str, Any]]:
    views = min(LEAK_VIEWS, plan.views[0])
    said = subprocess_call.call(cases.epochs, {**plan.data, "views": views, "count": plan.epochs})
    held = said["mib"][int(SETTLING * len(said["mib"])) :]
    half = len(held) // 2
    whole, *halves = _slope_kib(held), _slope_kib(held[:half]), _slope_kib(held[half:])
    kib = {"median": whole, "min": min(whole, *halves), "max": max(whole, *halves)}
    row = {"name": "ours/leak", "unit": "KiB/epoch", **kib, "repeats": 1}
    return [{**row, "epochs": plan.epochs, "views": views, "median_mib": statistics.median(held)}]


def _slope_kib(held_mib: Sequence[float]) -> float:
    slope, _ = np.polyfit(range(len(held_mib)), held_mib, 1)
    return round(1024 * float(slope), 2)
