"""The folder of a study: its identity, and the results of its jobs. Each file is replaced by a rename.

study.json   cells/VARIANT-seed-S.json   runs/VARIANT-seed-S/ (under way)   report.json   report.md   *.png
"""

import contextlib
import pathlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.config import saved
from models.runs import schemas
from models.runs.folder import RunFolder
from pipeline.common import errors, files, json_values, locked_folder, paths
from pipeline.common.json_values import (
    INTEGER,
    NUMBER,
    NUMBER_OR_NULL,
    OBJECT,
    TEXT,
    TEXT_OR_NULL,
    array,
    mapping,
    required,
)
from pipeline.data_config import AUTO
from pipeline.datasets.canonical import Fingerprints, check_recorded
from tuning.workers.job import TrainingJob

FINISHED, FAILED = "finished", "failed"

_IDENTITY = required(
    {"study": TEXT, "budget": TEXT, "variants": mapping(OBJECT)},
    fingerprints=schemas.FINGERPRINTS,
    precision=TEXT,
    precision_reason=TEXT_OR_NULL,
)
_RESULT = required(
    {
        "variant": TEXT,
        "seed": INTEGER,
        "status": {"enum": [FINISHED, FAILED]},
        "wall_seconds": NUMBER,
        "config": OBJECT,
    }
)
_ROW = required(
    {"step": INTEGER},
    **{f"{split}_{name}": NUMBER_OR_NULL for split in ("train", "validation") for name in schemas.ACCURACIES},
)
_REPORT = required(
    {"split": TEXT, "coarse_source": schemas.COARSE_SOURCE, "git_commit": TEXT_OR_NULL}
    | {"device": TEXT, "precision": TEXT, "versions": OBJECT}
    | dict.fromkeys(schemas.ACCURACIES, NUMBER_OR_NULL)
    | dict.fromkeys(("num_train", "num_validation", "num_parameters"), INTEGER)
    | dict.fromkeys(("epochs", "train_petaflop", "train_seconds", "peak_rss_mib"), NUMBER)
)
_RESULTS = {
    FINISHED: required({"report": _REPORT, "rows": array(_ROW)}),
    FAILED: required({"reason": TEXT}),
}


class StudyFolder:
    """The files of one study on one data set at one budget. Made by `open_study`, with the content of study.json."""

    def __init__(self, path: pathlib.Path, identity: Mapping[str, Any] | None = None) -> None:
        self.path, self._identity = path, dict(identity or {})

    def result(self, job: TrainingJob) -> dict[str, Any] | None:
        """The result of a job; None where there is none, or its file is damaged."""
        return _result(self._job_file(job))

    def is_finished(self, job: TrainingJob) -> bool:
        """Whether the job has finished; one that failed is run again."""
        result = self.result(job)
        return result is not None and result["status"] == FINISHED

    def is_damaged(self, job: TrainingJob) -> bool:
        """Whether the file of a job is damaged; the job is run again."""
        return self._job_file(job).exists() and self.result(job) is None

    def warn_of_damaged(self, jobs: Sequence[TrainingJob]) -> None:
        """Print a line for each damaged result of other jobs than these, which no call of these jobs trains again."""
        for path in sorted({*self.path.glob("cells/[!.]*.json")} - set(map(self._job_file, jobs))):
            try:
                _read_result(path)
            except errors.DamagedError as error:
                print(error, file=sys.stderr, flush=True)

    def results(self) -> list[dict[str, Any]]:
        """The results of all jobs that ended, by name; damaged files are skipped."""
        results = (_result(path) for path in sorted(self.path.glob("cells/[!.]*.json")))
        return [result for result in results if result is not None]

    def write_finished(self, job: TrainingJob, outcome: dict[str, Any], wall_seconds: float) -> None:
        """Write a job's report and rows, then remove its run folder, since networks would fill the disk."""
        self._write(job, {"status": FINISHED, "wall_seconds": round(wall_seconds, 3), **outcome})
        self.remove_run(job)

    def write_failed(self, job: TrainingJob, reason: str, trace: str, wall_seconds: float) -> None:
        """Write why a job failed, in one line."""
        self._write(job, {"status": FAILED, "wall_seconds": round(wall_seconds, 3), "reason": reason, "trace": trace})

    def run_dir(self, job: TrainingJob) -> pathlib.Path:
        """The run folder of a job under way."""
        return self.path / "runs" / job.name

    def steps_done(self, job: TrainingJob) -> int:
        """The steps of a job under way, at the end of its last epoch."""
        try:
            rows = RunFolder(self.run_dir(job)).rows()
        except errors.DamagedError:  # the job writes it again
            return 0
        return rows[-1]["step"] if rows else 0

    def remove_run(self, job: TrainingJob) -> None:
        """Remove a job's run folder; a kill in the middle leaves none that is half there."""
        removed = self.path / "runs" / f".{job.name}.removed"
        shutil.rmtree(removed, ignore_errors=True)
        if self.run_dir(job).exists():
            self.run_dir(job).rename(removed)
            shutil.rmtree(removed, ignore_errors=True)
            files.fsync(removed.parent)  # else it would be there again after a power failure

    @property
    def precision(self) -> str:
        """The precision that `auto` becomes in this study; "auto" before it is chosen."""
        return _saved_identity(self.path).get("precision", AUTO)

    @property
    def precision_reason(self) -> str | None:
        """The reason for this precision; None where the variants set their own."""
        return _saved_identity(self.path).get("precision_reason")

    def settle_precision(self, precision: str, reason: str) -> None:
        """Write the precision that `auto` becomes in this study, and the reason."""
        self._write_identity(precision=precision, precision_reason=reason)

    @property
    def has_begun(self) -> bool:
        """Whether a job has begun."""
        return (self.path / "runs").exists() or bool(self.results())

    def settle_data(self, fingerprints: Fingerprints) -> None:
        """Write the jobs and the data's fingerprints; errors.BadArgumentError where the study began on other data."""
        if "fingerprints" in self._identity or self.has_begun:
            fingerprints.check_continued(self._identity.get("fingerprints"), f"study_dir={self.path}")
        self._write_identity(fingerprints=fingerprints.as_dict())

    def _write_identity(self, **settled: Any) -> None:
        self._identity |= settled
        files.write_json(self.path / "study.json", self._identity)

    def write_report(self, report: dict[str, Any]) -> None:
        """Replace `report.json`."""
        files.write_json(self.path / "report.json", report)

    def _write(self, job: TrainingJob, outcome: dict[str, Any]) -> None:
        values = {"variant": job.label, "seed": job.train.seed, **outcome}
        values |= {"config": job.config, "unread": list(job.unread)}
        files.make_folder(self._job_file(job).parent)
        files.write_json(self._job_file(job), values)

    def _job_file(self, job: TrainingJob) -> pathlib.Path:
        return self.path / "cells" / f"{job.name}.json"


@contextlib.contextmanager
def open_study(
    path: paths.AnyPath, study: str, budget: str, jobs: Sequence[TrainingJob], others: Sequence[TrainingJob] = ()
) -> Iterator[StudyFolder]:
    """Open a study's folder, new or begun, and keep other processes out until the context ends.

    Seeds and variants may be added to a study that has begun; its configuration may not change.

    Args:
      path: of the folder.
      study: its name.
      budget: its budget.
      jobs: the jobs to run.
      others: jobs of the other variants, whose results may be there already and be part of the report.

    Raises:
      errors.BadArgumentError: the folder holds something else, variants of another configuration, or an unfinished
        study of an earlier version, which held out other images.
      errors.FailedError: the folder cannot be made, or another process is working in it.
    """
    path = paths.local(path, "study_dir")
    with locked_folder.open_locked(path, flag="study_dir", identity="study.json"):
        identity, before = _identity(study, budget, jobs), _saved_identity(path)
        _check_identity(path, before, _identity(study, budget, [*others, *jobs]))
        identity = {**before, **identity, "variants": {**before.get("variants", {}), **identity["variants"]}}
        folder = StudyFolder(path, identity)
        if folder.has_begun and not all(map(folder.is_finished, jobs)):
            check_recorded(before.get("fingerprints"), f"study_dir={path}")
        folder.warn_of_damaged(jobs)
        for job in jobs:
            if folder.is_finished(job):
                folder.remove_run(job)  # a kill may have come before it was gone
        yield folder


def _result(path: pathlib.Path) -> dict[str, Any] | None:
    """The result of a job; None where there is none, or its file is damaged."""
    try:
        return _read_result(path)
    except errors.DamagedError:
        return None


def _read_result(path: pathlib.Path) -> dict[str, Any] | None:
    def check(result: dict[str, Any]) -> None:
        saved.check(result["config"])
        json_values.check(result, _RESULTS[result["status"]])

    where = f"study_dir={path.parents[1]}: {path.parent.name}/{path.name}"
    return files.read_json(path, where, "a call with its variant and seed trains it again", schema=_RESULT, check=check)


def _identity(study: str, budget: str, jobs: Sequence[TrainingJob]) -> dict[str, Any]:
    variants = {job.label: {**job.identity} for job in jobs}
    for config in variants.values():
        config.pop("seed")
    return {"study": study, "budget": budget, "variants": variants}


def _saved_identity(path: pathlib.Path) -> dict[str, Any]:
    def check(identity: dict[str, Any]) -> None:
        for config in identity["variants"].values():
            saved.check(config)

    where, remedy = f"study_dir={path}: study.json", "restore it from a copy, or choose another --study_dir"
    try:
        return files.read_json(path / "study.json", where, remedy, schema=_IDENTITY, check=check) or {}
    except errors.DamagedError:
        if StudyFolder(path).has_begun:
            raise
        return {}  # it is written again


def _check_identity(path: pathlib.Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    changes = [
        f"{name}={before[name]!r} there, {now[name]!r} given"
        for name in ("study", "budget")
        if before and before[name] != now[name]
    ]
    for name, config in now["variants"].items() if not changes else ():
        there = before.get("variants", {}).get(name, config)
        changes += [f"{name}: {difference}" for difference in saved.differences(there, config)]
    if changes:
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        raise errors.BadArgumentError(
            f"study_dir={path} belongs to another configuration: {changes[0]}{more}; choose another --study_dir"
        )
