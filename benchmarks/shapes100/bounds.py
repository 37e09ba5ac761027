"""What shapes100 has to be, and is: its time to prepare, and the accuracies of `linear` and `quick` on it."""

import dataclasses
import pathlib
import tempfile
import time
from typing import Any

from benchmarks.harness import results
from pipeline.common import config, errors
from pipeline.data_config import DataConfig, SourceConfig

PREPARE, LINEAR, QUICK = "ours/prepare", "ours/linear/fine_accuracy", "ours/quick/fine_accuracy"
MAX_PREPARE_S = 60.0
MAX_LINEAR_FINE = 0.40  # what pixels give away to a linear model
MIN_QUICK_FINE = 0.80


def measure() -> list[dict[str, Any]]:
    """Measure everything anew."""
    with tempfile.TemporaryDirectory() as folder:
        prepare_s = _prepare_s(folder)
        linear, quick = (tested(preset, folder) for preset in ("linear", "quick"))
    return [
        results.single(PREPARE, "s", prepare_s, limit=MAX_PREPARE_S),
        results.single(LINEAR, "of 1", linear["fine_accuracy"], limit=MAX_LINEAR_FINE),
        results.single(QUICK, "of 1", quick["fine_accuracy"], limit=MIN_QUICK_FINE),
        results.single("ours/quick/coarse_accuracy", "of 1", quick["coarse_accuracy"]),
        results.single("ours/quick/train_seconds", "s", quick["train_seconds"]),
    ]


def judge(rows: list[dict[str, Any]]) -> None:
    """See that every row is within its limit: QUICK above it, the others below.

    Raises:
      errors.FailedError: one is not.
    """
    for row in rows:
        value, limit = row["median"], row.get("limit")
        if limit is not None and (value < limit if row["name"] == QUICK else value > limit):
            raise errors.FailedError(f"shapes100 is out of its bounds: {row['name']} is {value}, its limit {limit}")


def _prepare_s(folder: str) -> float:
    from pipeline import prepare

    started = time.perf_counter()
    prepare.prepare(SourceConfig(dataset="shapes100", data_dir=folder))
    return time.perf_counter() - started


def tested(preset: str, data_dir: str, **values: Any) -> dict[str, Any]:
    """The report of a preset, trained on the data set prepared in `data_dir` and evaluated on test.

    Args:
      preset: name of a recipe.
      data_dir: folder with shapes100; the run is left in `runs/` of it.
      **values: fields that are to be otherwise than in the preset.
    """
    from models import training
    from models.config import presets
    from models.config.training import TrainConfig
    from models.runs import folder as run_folder
    from models.runtime import precision
    from models.training import evaluation

    standard = {**presets.preset(preset), "preset": preset, "dataset": "shapes100", "data_dir": data_dir}
    values = {**standard, **values}
    data, train = config.build(DataConfig, values), config.build(TrainConfig, values)
    train = dataclasses.replace(train, precision=precision.resolve(train.precision))
    configuration = {**data.as_dict(), **train.as_dict()}
    with run_folder.open_locked(str(pathlib.Path(data_dir, "runs", preset)), configuration, configuration) as run:
        training.train(data, train, run=run)
    evaluation.evaluate_run(run, "test")
    return run.report()
