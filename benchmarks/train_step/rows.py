"""The rows of `benchmarks.train_step`: rates, their share of the ceiling, waits for data, and ratios to the peers."""

import dataclasses
from collections.abc import Mapping, Sequence

from benchmarks.harness import results, timing
from benchmarks.harness.convolution_ceiling import Ceiling
from benchmarks.harness.labels import Labels
from benchmarks.harness.results import Row
from benchmarks.harness.timing import Timing
from benchmarks.train_step.cases import STEP, Recipe
from benchmarks.train_step.torch_peer import Peer
from pipeline.common import progress

DTYPES = {"float32": "float32", "mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}  # of a precision's products


def measure(recipe: Recipe, ceilings: Mapping[str, Ceiling], peer: Peer | None) -> list[Row]:
    """Measure all cases of a recipe in turns, with PyTorch's where it is installed; `ceilings` are by dtype.

    Returns the rows of whole steps, then those of bare steps by precision; rates have their TFLOP/s and share of the
    ceiling. Raises errors.FailedError where PyTorch's network is not the same as ours.
    """
    cases, first_s = recipe.steps(), dict[str, float]()
    if peer:
        bare, first_s = recipe.bare_steps(peer)
        cases += bare
    num_measurements = len(cases) * (recipe.effort.repeats + 1)
    with progress.task(f"measuring {recipe.name}", num_measurements, "measurements", in_background=False) as task:
        timings = list(timing.interleave(cases, recipe.effort.repeats, each=task.advance).values())
    if peer:
        peer.clear()
    rows = [*step_rows(timings), waiting_row(recipe, timings)]
    for train in recipe.trains:
        rows += bare_rows([one for one in timings if one.labels.precision == train.precision], first_s)
    return [_with_rate(row, recipe.multiply_adds, ceilings) for row in rows]


def step_rows(timings: Sequence[Timing]) -> list[Row]:
    """The rows of whole steps.

    The ratios are of each precision to the first one, of images on the device to those in memory, and of ours to the
    network with Keras's batch normalization.
    """
    whole = [one for one in timings if one.labels.kind == "step" and not one.labels.peer]
    rows = [_row(whole[0]), *(_row(one, (one, whole[0])) for one in whole[1:])]
    rows += [_row(one, (one, whole[-1])) for one in timings if one.labels.kind == "cache"]
    rows += [_row(one, (whole[-1], one)) for one in timings if one.labels.kind == "step" and one.labels.peer]
    return rows + [_row(one) for one in timings if one.labels.kind == "one_batch"]


def waiting_row(recipe: Recipe, timings: Sequence[Timing]) -> Row:
    """Per cent of the time of a step that input costs, from each round with and without it; not less than 0."""
    (unfed,) = (one for one in timings if one.labels.kind == "one_batch")
    fed = [one for one in timings if one.labels.kind == "step" and not one.labels.peer][-1]
    labels = recipe.labels(STEP + "/waits_for_data", "waits_for_data", recipe.trains[-1])
    return results.row(labels, "%", waiting_shares(fed, unfed), 2)


def waiting_shares(fed: Timing, unfed: Timing) -> list[float]:
    """Per cent of the time of a step on the input pipeline that a step on one batch does without, round by round."""
    rounds = zip(fed.rates, unfed.rates, strict=True)
    return [100.0 * max(0.0, 1.0 - with_input / without) for with_input, without in rounds]


def bare_rows(timings: Sequence[Timing], first_s: Mapping[str, float]) -> list[Row]:
    """The rows of bare steps at one precision: ours, then PyTorch's best mode as `peer/pytorch`, then its other one.

    `first_s` has by the names of PyTorch's cases the seconds to the end of their first step.
    """
    bare = [one for one in timings if one.labels.kind == "bare"]
    if not bare:
        return []
    ours, *peers = bare
    rows = [_row(ours)]
    for place, peer in enumerate(sorted(peers, key=lambda peer: -peer.median)):
        labels = _as_best(peer.labels) if place == 0 else peer.labels
        shown = Timing(labels, first_s[peer.name], peer.rates)
        rows.append(_row(shown, (ours, shown)))
    return rows


def _as_best(labels: Labels) -> Labels:
    assert labels.peer is not None
    return dataclasses.replace(labels, name=labels.name.replace(labels.peer, "pytorch", 1), peer="pytorch")


def rate(images_per_s: float, multiply_adds: int, ceiling_tflops: float) -> tuple[float, float]:
    """A step's TFLOP/s, of 3 x 2 x the forward multiply-adds, and its share of the ceiling."""
    tflops = 6 * multiply_adds * images_per_s / 1e12
    return round(tflops, 4), round(tflops / ceiling_tflops, 4)


def lines(rows: Sequence[Row]) -> list[str]:
    """A line for each rate, its TFLOP/s and share of the ceiling, and for each wait for data."""
    rates = [
        f"{row.name}: {row.tflops:.3f} TFLOP/s, {row.ceiling_share:.0%} of the convolution ceiling"
        for row in rows
        if row.ceiling_share is not None
    ]
    waits = [row for row in rows if row.kind == "waits_for_data"]
    return rates + [f"{row.name}: the device waits for data {row.median:.1f} % of the time" for row in waits]


def _row(timed: Timing, compared: tuple[Timing, Timing] | None = None) -> Row:
    assert timed.labels.batch_size is not None
    return results.timed(timed, compared=compared, steps_per_s=round(timed.median / timed.labels.batch_size, 3))


def _with_rate(row: Row, multiply_adds: int, ceilings: Mapping[str, Ceiling]) -> Row:
    if row.unit != "images/s":
        return row
    assert row.precision is not None
    tflops, ceiling_share = rate(row.median, multiply_adds, ceilings[DTYPES[row.precision]].tflops)
    return dataclasses.replace(row, tflops=tflops, ceiling_share=ceiling_share)
