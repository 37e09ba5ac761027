"""A run's whole state as one file, with a checksum: weights, optimizer, step and metrics. The last two are kept.

There is no moment at which half of a state is on the disk, and no random state to save: draws follow from the step.
"""

import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from models.runs.folder import previous_checkpoint
from pipeline.common import errors, files

PROGRESS, SHA256 = "progress", "sha256"  # arrays beside those of the variables, which are named by their number
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
    earlier_trunk_records: list[str] = dataclasses.field(default_factory=list)  # and its own trunk, the latest first


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint: the progress, and the values of the variables in order."""

    path: pathlib.Path
    progress: Progress
    values: Sequence[np.ndarray]
    is_newest: bool  # False where that was missing or damaged

    def restore(self, run_variables: Sequence[keras.Variable]) -> None:
        """Assign the values; errors.FailedError where they are those of another model or optimizer."""
        if [value.shape for value in self.values] != [tuple(variable.shape) for variable in run_variables]:
            raise errors.FailedError(
                f"{self.path} holds the variables of another network or optimizer: the code has changed since; "
                "choose another --run_dir"
            )
        for variable, value in zip(run_variables, self.values, strict=True):
            variable.assign(value)


def save(path: pathlib.Path, run_variables: Sequence[keras.Variable], progress: Progress) -> None:
    """Write the variables and the progress to `path`, durably; the former file becomes `previous_checkpoint(path)`."""
    arrays: dict[str, Any] = {f"{place:04d}": variable.numpy() for place, variable in enumerate(run_variables)}
    arrays[PROGRESS] = np.array(json.dumps(dataclasses.asdict(progress)))
    arrays[SHA256] = np.array(_sha256(arrays))
    files.make_folder(path.parent)
    with files.replacing(path, previous=previous_checkpoint(path)) as temporary:
        np.savez(temporary, **arrays)


def load(path: pathlib.Path) -> Checkpoint | None:
    """The checkpoint in `path`, or the previous one where it is missing or damaged; None where there is none yet.

    A damaged file is named on stderr and replaced by the previous one.

    Raises:
      errors.FailedError: no file is undamaged, a later version wrote it, or it cannot be read.
    """
    damaged = []
    for candidate in (path, previous_checkpoint(path)):
        if not candidate.exists():
            continue
        try:
            with files.decoding():
                progress, values = _read(candidate)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EIO:  # a sector that cannot be read
                error.filename = str(candidate)
                raise errors.FailedError(files.described(error)) from error
            damaged.append(str(candidate))
            continue
        if damaged:
            print(f"warning: {path} is damaged; using the previous one, of step {progress.step}", file=sys.stderr)
        if candidate != path:
            os.replace(candidate, path)  # else `save` would keep the damaged file as the previous one
            files.fsync(path.parent)
        return Checkpoint(path, progress, values, is_newest=candidate == path)
    if damaged:
        files_and_verb = f"{' and '.join(damaged)} {'are' if len(damaged) > 1 else 'is'}"
        raise errors.FailedError(
            f"{files_and_verb} damaged; remove {path.parent} to train anew, or choose another --run_dir"
        )
    return None


def _read(path: pathlib.Path) -> tuple[Progress, list[np.ndarray]]:
    """The progress and the values in a checkpoint; within `files.decoding`."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as npz:  # NumPy leaves a damaged file open
        arrays = {name: npz[name] for name in npz.files}
    sha256 = arrays.pop(SHA256, None)  # earlier versions wrote none
    if sha256 is not None and str(sha256) != _sha256(arrays):
        raise ValueError("its checksum is wrong")
    fields = json.loads(str(arrays.pop(PROGRESS)))
    fields = {FORMER_NAMES.get(name, name): value for name, value in fields.items()}
    if later := fields.keys() - {field.name for field in dataclasses.fields(Progress)}:
        raise errors.FailedError(f"{path} was written by a later version, with {min(later)!r}; use that version")
    return Progress(**fields), [arrays[f"{place:04d}"] for place in range(len(arrays))]


def _sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """The SHA-256 of the names, types, shapes and values of arrays."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
