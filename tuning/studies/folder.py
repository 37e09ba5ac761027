"""A study's folder: what it is, which jobs it has, what came of them. Every file appears whole, by a rename.

study.json   cells/VARIANT-seed-S.json   runs/VARIANT-seed-S/ (of cells under way)   report.json   report.md   *.png
"""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from models.config import saved
from models.runs.folder import RunFolder
from pipeline.common import errors, files, locked_folder
from tuning.workers.job import TrainingJob

FINISHED, FAILED = "finished", "failed"


class StudyFolder:
    """The files of one study on one data set at one budget. Made by `claim`."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def result(self, job: TrainingJob) -> dict[str, Any] | None:
        """What `write_finished` or `write_failed` kept of a job; None where there is nothing yet, or nothing whole."""
        return _result(self._job_file(job))

    def is_finished(self, job: TrainingJob) -> bool:
        """Whether the job never has to be run again."""
        found = self.result(job)
        return found is not None and found["status"] == FINISHED

    def is_damaged(self, job: TrainingJob) -> bool:
        """Whether there is a file of a job that tells nothing: it is run again."""
        return self._job_file(job).exists() and self.result(job) is None

    def results(self) -> list[dict[str, Any]]:
        """Of every job that was ever run here, by name; damaged files, whose jobs are run again, are passed over."""
        found = (_result(path) for path in sorted(self.path.glob("cells/*.json")))
        return [result for result in found if result is not None]

    def write_finished(self, job: TrainingJob, outcome: dict[str, Any], wall_seconds: float) -> None:
        """Keep a job's report and rows, then let go of its run folder, whose networks would fill the disk."""
        self._write(job, {"status": FINISHED, "wall_seconds": round(wall_seconds, 3), **outcome})
        self.remove_run(job)

    def write_failed(self, job: TrainingJob, reason: str, trace: str, wall_seconds: float) -> None:
        """Keep why a job failed, in one line."""
        self._write(job, {"status": FAILED, "wall_seconds": round(wall_seconds, 3), "reason": reason, "trace": trace})

    def run_dir(self, job: TrainingJob) -> pathlib.Path:
        """Where a job that is under way has its run folder."""
        return self.path / "runs" / job.name

    def steps_done(self, job: TrainingJob) -> int:
        """How far the job under way is, as its run last told."""
        try:
            rows = RunFolder(self.run_dir(job)).rows()
        except FileNotFoundError:
            return 0
        return rows[-1]["step"] if rows else 0

    def remove_run(self, job: TrainingJob) -> None:
        """Remove a job's run folder; a kill in the middle leaves none that is half there."""
        removed = self.path / "runs" / f".{job.name}.removed"
        shutil.rmtree(removed, ignore_errors=True)
        if self.run_dir(job).exists():
            self.run_dir(job).rename(removed)
            shutil.rmtree(removed, ignore_errors=True)

    def settle_precision(self, precision: str) -> None:
        """Keep what `auto` stands for in this study: rows of two precisions cannot be compared.

        Raises:
          errors.BadArgumentError: an earlier call, on another machine, kept another.
        """
        identity = _found(self.path)
        if identity.get("precision", precision) != precision:
            raise errors.BadArgumentError(
                f"study_dir={self.path}: begun with precision {identity['precision']}, this machine's is {precision}; "
                "go on where it was begun, or choose another --study_dir"
            )
        files.write_json(self.path / "study.json", {**identity, "precision": precision})

    def write_report(self, report: dict[str, Any]) -> None:
        """Replace `report.json`."""
        files.write_json(self.path / "report.json", report)

    def _write(self, job: TrainingJob, outcome: dict[str, Any]) -> None:
        values = {"variant": job.label, "seed": job.train.seed, **outcome}
        values |= {"config": job.config, "unread": list(job.unread)}
        self._job_file(job).parent.mkdir(exist_ok=True)
        files.write_json(self._job_file(job), values, durable=True)  # the run folder is removed next

    def _job_file(self, job: TrainingJob) -> pathlib.Path:
        return self.path / "cells" / f"{job.name}.json"


@contextlib.contextmanager
def claim(
    path: pathlib.Path, study: str, budget: str, jobs: Sequence[TrainingJob], others: Sequence[TrainingJob] = ()
) -> Iterator[StudyFolder]:
    """Open a study's folder, a new one or one to go on with, and keep other processes out until the context ends.

    More seeds and more variants may come to what is there; what is there may not change.

    Args:
      path: of the folder.
      study: its name.
      budget: its budget.
      jobs: that are to be run.
      others: of variants that are not to be run now; those that are there already stand in the same report.

    Raises:
      errors.BadArgumentError: the folder holds something else, or variants of another configuration.
      errors.FailedError: it cannot be made, or another process is working in it.
    """
    with locked_folder.open_locked(path, flag="study_dir", identity="study.json"):
        identity, found = _identity(study, budget, jobs), _found(path)
        _refuse_other(path, found, _identity(study, budget, [*others, *jobs]))
        identity = {**found, **identity, "variants": {**found.get("variants", {}), **identity["variants"]}}
        files.write_json(path / "study.json", identity, durable=True)
        folder = StudyFolder(path)
        for job in jobs:
            if folder.is_finished(job):
                folder.remove_run(job)  # a kill may have come before it was gone
        yield folder


def _result(path: pathlib.Path) -> dict[str, Any] | None:
    found = files.read_json(path)
    return found if isinstance(found, dict) and "status" in found else None


def _identity(study: str, budget: str, jobs: Sequence[TrainingJob]) -> dict[str, Any]:
    variants = {job.label: {**job.identity} for job in jobs}
    for config in variants.values():
        config.pop("seed")
    return {"study": study, "budget": budget, "variants": variants}


def _found(path: pathlib.Path) -> dict[str, Any]:
    try:
        return json.loads((path / "study.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise errors.FailedError(
            f"study_dir={path}: its study.json, which says what its jobs are, is damaged ({error}); choose another"
        ) from error


def _refuse_other(path: pathlib.Path, found: dict[str, Any], given: dict[str, Any]) -> None:
    changes = [
        f"{name}={found[name]!r} there, {given[name]!r} given"
        for name in ("study", "budget")
        if found and found[name] != given[name]
    ]
    for name, config in given["variants"].items() if not changes else ():
        there = found.get("variants", {}).get(name, config)
        changes += [f"{name}: {difference}" for difference in saved.differences(there, config)]
    if changes:
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        raise errors.BadArgumentError(
            f"study_dir={path} belongs to another configuration: {changes[0]}{more}; choose another --study_dir"
        )
