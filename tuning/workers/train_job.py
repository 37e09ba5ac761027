"""One cell, trained in a worker's process: `models.training.train` on a run folder, so that a cut-off cell goes on."""

import dataclasses
import functools
import gc
import pathlib
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from models.runs import folder as run_folder
from pipeline.common import app
from tuning.studies.design import Cell

Train: TypeAlias = Callable[[Cell, pathlib.Path], dict[str, Any]]  # as `train`; tests put others in its place


def train(cell: Cell, run_dir: pathlib.Path) -> dict[str, Any]:
    """Train a cell, or what an earlier process left of it.

    Returns:
      {"report": as a run's report.json, "rows": as its metrics.jsonl, "cell_seconds": of building, tracing, training
      and validating, which is all but what a worker adds}.

    Raises:
      errors.BadArgumentError: the configuration does not fit the data.
      errors.DivergedError: the training did.
      errors.FailedError: its run folder is of no use.
      errors.InterruptedRunError: SIGTERM came; the state is saved in the run folder.
    """
    _start()
    import keras

    from models import training
    from models.runtime import precision

    keras.utils.clear_session()
    gc.collect()  # models are cycles: those of earlier cells would stay until chance collects them
    resolved = dataclasses.replace(cell.train, precision=precision.resolve(cell.train.precision))
    cell = dataclasses.replace(cell, train=resolved)
    training.check(cell.data, cell.train)
    with run_folder.claim(str(run_dir), cell.config, cell.identity) as run:
        began = time.perf_counter()
        if not run.is_finished:
            training.train(cell.data, cell.train, run=run, verbose=0)
        return {"report": run.report(), "rows": run.rows(), "cell_seconds": round(time.perf_counter() - began, 3)}


def evaluate(run_dir: pathlib.Path, split: str) -> dict[str, Any]:
    """Evaluate a finished run on a split: its report, with the new figures.

    Raises:
      errors.FailedError: the run has not ended, or its data set is not prepared.
    """
    _start()
    from models.training import evaluation

    run = run_folder.RunFolder(run_dir)
    evaluation.evaluate_run(run, split)
    return run.report()


def resolve(precision_name: str) -> str:
    """The precision `auto` -> this machine's; any other as it is."""
    _start()
    from models.runtime import precision

    return precision.resolve(precision_name)


@functools.cache  # once a process: TensorFlow refuses it once its devices are in use
def _start() -> None:
    app.load_tensorflow()
    import tensorflow as tf

    from models.runtime import device

    tf.get_logger().setLevel("ERROR")  # it warns of retracing, which is what one network after the other is
    device.allow_gpu_memory_growth()
