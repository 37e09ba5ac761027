"""The rows of `benchmarks.shapes100`, the time to prepare it and accuracies on it, and their limits."""

import dataclasses
import pathlib
import tempfile
import time
from typing import Any

from benchmarks.harness import results
from benchmarks.harness.labels import Labels
from pipeline.common import errors
from pipeline.data_config import SourceConfig

MAX_PREPARE_S = 60.0
MAX_LINEAR_FINE = 0.40  # what pixels give away to a linear model
MIN_QUICK_FINE = 0.80


def measure() -> list[results.Row]:
    """Measure everything anew."""
    with tempfile.TemporaryDirectory() as folder:
        prepare_s = _prepare_s(folder)
        reports = {recipe: tested(recipe, folder) for recipe in ("linear", "quick")}

    def row(recipe: str, metric: str, unit: str, **limit: float) -> results.Row:
        labels = Labels.of("ours/{recipe}/{metric}", "report", recipe=recipe, metric=metric)
        return results.row(labels, unit, [reports[recipe][metric]], 4, **limit)

    return [
        results.row(Labels("ours/prepare", "prepare"), "s", [prepare_s], limit=MAX_PREPARE_S),
        row("linear", "fine_accuracy", "of 1", limit=MAX_LINEAR_FINE),
        row("quick", "fine_accuracy", "of 1", limit=MIN_QUICK_FINE),
        row("quick", "coarse_accuracy", "of 1"),
        row("quick", "train_seconds", "s"),
    ]


def judge(rows: list[results.Row]) -> None:
    """Check every row that has a limit: the accuracy of `quick` is above it, the others are below; else FailedError."""
    for row in rows:
        if row.limit is not None and (row.median < row.limit if row.recipe == "quick" else row.median > row.limit):
            raise errors.FailedError(
                f"shapes100 is out of bounds: {row.name} is {row.median}, the limit is {row.limit}"
            )


def _prepare_s(folder: str) -> float:
    from pipeline import prepare

    started = time.perf_counter()
    prepare.prepare(SourceConfig(dataset="shapes100", data_dir=folder))
    return time.perf_counter() - started


def tested(preset: str, data_dir: str, **values: Any) -> dict[str, Any]:
    """The report of a preset, with other `values`, trained on shapes100 in `data_dir` and evaluated on test.

    The run is left in `runs/` of that folder.
    """
    from models.config import from_preset
    from models.runs import folder as run_folder
    from models.runtime import precision
    from models.training import evaluation, loop

    data, train = from_preset(preset, **{"dataset": "shapes100", "data_dir": data_dir, **values})
    train = dataclasses.replace(train, precision=precision.resolve(train.precision))
    configuration = {**data.as_dict(), **train.as_dict()}
    with run_folder.open_locked(str(pathlib.Path(data_dir, "runs", preset)), configuration, configuration) as run:
        loop.train(data, train, run=run)
    evaluation.evaluate_run(run, "test")
    return run.report()
