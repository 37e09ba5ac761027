"""A run's whole state as one file, replaced in one rename: weights, optimizer, step and metrics.

There is no moment at which half of a state is on the disk, and no random state to save: draws follow from the step.
"""

import dataclasses
import json
import pathlib
from typing import Any

import keras
import numpy as np

from pipeline.common import errors, files

FORMER_NAMES = {"sums": "metric_totals"}  # fields of Progress in checkpoints of earlier versions


@dataclasses.dataclass
class Progress:
    """The state of a run that is not in variables: step, epoch, times, metrics."""

    step: int = 0
    epoch: int = 0
    train_seconds: float = 0.0
    epoch_seconds: float = 0.0  # of the current epoch
    peak_rss_mib: float = 0.0
    metric_totals: list[float] = dataclasses.field(default_factory=list)  # of the current epoch
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # of metrics.jsonl
    rollbacks: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # as in report.json
    final: dict[str, float] = dataclasses.field(default_factory=dict)  # validation metrics of the final weights
    precision_reason: str = ""
    finished: bool = False
    fingerprints: dict[str, str] | None = None  # of the data set; None in a run of an earlier version
    trunk_records: str | None = None  # the fingerprint of the records that the trunk's run was trained on


def save(path: pathlib.Path, run_variables: list[keras.Variable], progress: Progress) -> None:
    """Write the variables and the progress to `path`, durably and in one rename."""
    arrays = {f"{place:04d}": variable.numpy() for place, variable in enumerate(run_variables)}
    files.make_folder(path.parent)
    with files.replacing(path) as temporary:
        np.savez(temporary, progress=np.array(json.dumps(dataclasses.asdict(progress))), **arrays)


def restore(path: pathlib.Path, run_variables: list[keras.Variable]) -> Progress | None:
    """Assign the variables from `path` and return the run's progress; None where there is no checkpoint yet.

    A file that holds other variables than the model and optimizer have raises errors.FailedError.
    """
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        saved = [arrays[name].shape for name in arrays.files if name != "progress"]
        if saved != [tuple(variable.shape) for variable in run_variables]:
            raise errors.FailedError(
                f"{path} holds the variables of another network or optimizer: the code has changed since; "
                "choose another --run_dir"
            )
        for place, variable in enumerate(run_variables):
            variable.assign(arrays[f"{place:04d}"])
    return read_progress(path)


def read_progress(path: pathlib.Path) -> Progress:
    """The run's progress in a checkpoint."""
    with np.load(path, allow_pickle=False) as arrays:
        fields = json.loads(str(arrays["progress"]))
    return Progress(**{FORMER_NAMES.get(name, name): value for name, value in fields.items()})
