"""The rows of `benchmarks.profile`: a recipe's step, its parts, their rates and their memory traffic."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.harness import results, timing, training_steps
from benchmarks.harness.convolution_ceiling import Ceiling
from benchmarks.harness.labels import Labels
from benchmarks.harness.results import Row
from benchmarks.profile import trace, work
from benchmarks.profile.parts import MULTIPLYING, PARTS
from benchmarks.profile.trace import Times
from benchmarks.profile.work import Work
from models.config.training import TrainConfig
from pipeline.batches import OpenedData
from pipeline.common import progress
from pipeline.data_config import DataConfig

NAME = "ours/{recipe}/{precision}/{metric}"


def measure(
    name: str, data: DataConfig, train: TrainConfig, num_steps: int, repeats: int, ceiling: Callable[[str], Ceiling]
) -> list[Row]:
    """The rows of a recipe's configurations, over rounds of `num_steps` steps; `ceiling` is that of a dtype."""
    steps = training_steps.Steps(data, train, num_steps)
    batches = iter(OpenedData(data).train(train.seed))
    works = work.by_part(steps.graph(next(batches)))
    run = steps.case(Labels(name, "step"), batches).run
    run()  # traced and compiled apart
    step_ms, profiles = [], []
    with progress.task(f"measuring {name}", repeats, "rounds", in_background=False) as task:
        for _ in range(repeats):
            step_ms.append(1e3 * timing.seconds_of(run) / num_steps)
            profiles.append(trace.profiled(run))
            task.advance()
    fields = {"recipe": name, "precision": train.precision, "batch_size": data.batch_size}
    ceilings = {part: ceiling(works[part].dtype).tflops for part in MULTIPLYING if works[part].operations}
    step = results.row(Labels.of(NAME, "step", metric="step", **fields), "ms", step_ms)
    return [step, *part_rows(fields, profiles, num_steps, works, ceilings)]


def part_rows(
    fields: Mapping[str, Any],
    profiles: Sequence[Times],
    num_steps: int,
    works: Mapping[str, Work],
    ceilings: Mapping[str, float],
) -> list[Row]:
    """The rows of a recipe with these labels, from the profile of each round.

    One for the sum over all operations, then one for each part that took time; parts with one of the `ceilings`, in
    TFLOP/s, have a rate.
    """
    total = [_ms(times.operations, num_steps) for times in profiles]
    rows = [results.row(Labels.of(NAME, "operations", metric="operations", **fields), "ms", total)]
    for part in PARTS:
        values = [_ms(times.parts.get(part, 0.0), num_steps) for times in profiles]
        if any(values):
            labels = Labels.of(NAME, "part", metric=part, **fields)
            row = results.row(labels, "ms", values, gib=round(works[part].bytes_moved / 2**30, 5))
            rows.append(_with_rate(row, works[part], ceilings[part]) if part in ceilings and row.median else row)
    return rows


def _with_rate(row: Row, of_part: Work, ceiling: float) -> Row:
    tflops = of_part.operations / (row.median * 1e9)
    return dataclasses.replace(
        row,
        tflops=round(tflops, 5),
        ceiling_share=round(tflops / ceiling, 4),
        intensity=round(of_part.operations / of_part.bytes_moved, 2),
    )


def _ms(picoseconds: float, num_steps: int) -> float:
    return picoseconds / 1e9 / num_steps


def lines(rows: Sequence[Row]) -> list[str]:
    """A line for each part: its share of the step, its rates."""
    steps = {row.recipe: row.median for row in rows if row.kind == "step"}
    texts = []
    for row in rows:
        if row.kind == "part":
            text = f"{row.name}: {row.median / steps[row.recipe]:.0%} of the step"
            if row.gib and row.median:
                text += f", {row.gib * 2**30 / row.median / 1e6:,.1f} GB/s"
            if row.tflops is not None:
                text += f", {1e3 * row.tflops:,.1f} GFLOP/s, {row.ceiling_share:.0%} of the convolution ceiling"
            texts.append(text)
    return texts
