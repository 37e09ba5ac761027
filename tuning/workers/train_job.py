"""The functions that workers call: train a job, evaluate its run, choose a precision."""

import contextlib
import dataclasses
import functools
import gc
import math
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from models.runs import folder as run_folder
from pipeline.common import app, progress
from tuning.workers.job import TrainingJob

Train: TypeAlias = Callable[[TrainingJob, pathlib.Path], dict[str, Any]]  # as `train`; tests replace it


def train(job: TrainingJob, run_dir: pathlib.Path) -> dict[str, Any]:
    """Train a job in its run folder, from the checkpoint that an earlier process left there, if any.

    Returns:
      {"report": as a run's report.json, "rows": as its metrics.jsonl, "cell_seconds": of building, tracing, training
      and validating, which is all but what a worker adds}.

    Raises:
      errors.BadArgumentError, errors.DivergedError: as of `models.training.loop.train`.
      errors.FailedError: its run folder is of no use.
      errors.InterruptedRunError: a signal came that ends a process; the state is saved in the run folder.
    """
    _load_tensorflow()
    import keras

    from models.runtime import precision
    from models.training import loop, preconditions
    from models.training.callbacks import DeadlineNotice

    keras.utils.clear_session()
    gc.collect()  # models are cycles: those of earlier jobs would stay until chance collects them
    begun = run_folder.RunFolder(run_dir).as_begun("precision", job.train.precision)
    resolved = dataclasses.replace(job, train=job.train.replace(precision=precision.resolve(begun)))
    preconditions.check(job.data, resolved.train)
    with run_folder.open_locked(str(run_dir), resolved.config, resolved.identity) as run:
        began = time.perf_counter()
        if not run.is_finished:
            notice = None if job.deadline == math.inf else DeadlineNotice(job.deadline)
            with progress.shown() if job.verbose else contextlib.nullcontext():
                loop.train(job.data, job.train, run=run, callbacks=notice, verbose=job.verbose)
        return {"report": run.report(), "rows": run.rows(), "cell_seconds": round(time.perf_counter() - began, 3)}


def evaluate(run_dir: pathlib.Path, splits: Sequence[str]) -> dict[str, Any]:
    """Evaluate a run on one split after the other and return its new report, which is of the last one.

    Raises:
      errors.FailedError: the run has not ended, or its data set is not prepared.
    """
    _load_tensorflow()
    from models.training import evaluation

    run = run_folder.RunFolder(run_dir)
    evaluation.evaluate_splits(run, splits)
    return run.report()


def choose_precision(name: str) -> tuple[str, str]:
    """The precision that `auto` becomes on this machine, or another one unchanged, and the reason."""
    _load_tensorflow()
    from models.runtime import precision

    return dataclasses.astuple(precision.choose(name))


@functools.cache  # once a process: TensorFlow refuses it once its devices are in use
def _load_tensorflow() -> None:
    app.load_tensorflow()
    import tensorflow as tf

    from models.runtime import device

    tf.get_logger().setLevel("ERROR")  # it warns of retracing, which is what one network after the other is
    device.allow_gpu_memory_growth()
