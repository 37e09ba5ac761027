"""The folder of a tuner session: its files, and where its runs lie.

session.json   journal.jsonl   trials/ID.json   runs/ID/ (under way)   trunk/   tensorboard/   workers/
report.json   report.md   best.json   *.png   retrained/   retrained.json

Each JSON file is replaced by a rename; the journal grows by whole lines.
"""

import contextlib
import math
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from models.config import saved
from models.runs.folder import RunFolder
from models.runs.schemas import FINGERPRINTS
from pipeline.common import errors, files, json_values
from pipeline.common.json_values import NUMBER, NUMBER_OR_NULL, OBJECT, TEXT, TEXT_OR_NULL, mapping, required
from tuning.sessions.journal import Journal
from tuning.workers.job import TrainingJob

COMPLETED, FAILED = "COMPLETED", "FAILED"  # the status of a record

_IDENTITY = required(
    {"trial": OBJECT},
    fingerprints=FINGERPRINTS,
    **dict.fromkeys(("precision", "objectives", "space", "init_from", "trunk_run_dir"), TEXT),
)
_ANY_RECORD = {"id": TEXT, "hyperparameters": OBJECT, "seconds": NUMBER}
_FIGURES: dict[str, Any] = {
    **dict.fromkeys(("objective", "epochs"), NUMBER),
    **dict.fromkeys(("fine", "coarse"), NUMBER_OR_NULL),
}
_RECORDS = {
    COMPLETED: required(
        {**_ANY_RECORD, **_FIGURES, "config": OBJECT},
        **dict.fromkeys(("train_seconds", "train_petaflop"), NUMBER),
        git_commit=TEXT_OR_NULL,
        objectives=mapping(NUMBER),
    ),
    FAILED: required({**_ANY_RECORD, "reason": TEXT}),
}
_ANY_STATUS = required({"status": {"enum": [*_RECORDS]}})
_RETRAINED = required({"trial": TEXT, "untuned": OBJECT, "tuned": OBJECT, "test": OBJECT})


class SessionFolder:
    """The files of one session."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.identity_file = path / "session.json"
        self.report_file = path / "report.json"
        self.retrained_file = path / "retrained.json"  # the result of `--retrain_best`
        self.trunk_dir = path / "trunk"  # the run folder of the session's own trunk
        self.journal = Journal(path / "journal.jsonl")
        self._checked: dict[str, dict[str, Any]] = {}  # the records whose content was checked, by trial

    @property
    def has_begun(self) -> bool:
        """Whether the session has a trunk or a trial."""
        return self.trunk_dir.exists() or bool(self.journal.events())

    @property
    def has_ended(self) -> bool:
        """Whether a call has reported trials and none is under way."""
        events = self.journal.events()
        begun, ended = ({event["trial"] for event in events if event["event"] == kind} for kind in ("begin", "end"))
        return self.report_file.exists() and begun == ended

    def run_dir(self, trial_id: str) -> pathlib.Path:
        """The run folder of a trial under way."""
        return self.path / "runs" / trial_id

    def retrained_dir(self, job: TrainingJob) -> pathlib.Path:
        """The run folder of a job of `--retrain_best`."""
        return self.path / "retrained" / job.name

    def heartbeat_file(self, worker: str) -> pathlib.Path:
        """The file that a worker on another machine touches while it lives."""
        return self.path / "workers" / worker

    def identity(self) -> dict[str, Any] | None:
        """The content of `session.json`; None where it is missing."""

        def check(values: Any) -> None:
            saved.check({**values["trial"], "init_from": "anywhere"})  # which it is kept without: the trunk may move

        remedy = "restore it from a copy, or choose another --session_dir"
        return self._read("session.json", remedy, schema=_IDENTITY, check=check)

    def retrained(self) -> dict[str, Any] | None:
        """The content of `retrained.json`; None where it is missing."""
        return self._read("retrained.json", "delete it: --retrain_best writes it again", schema=_RETRAINED)

    def record(self, trial_id: str) -> dict[str, Any] | None:
        """The record of a trial; None where it is missing."""

        def check(record: Any) -> None:
            if record == self._checked.get(trial_id):  # which is read several times a second
                return
            json_values.check(record, _ANY_STATUS)
            json_values.check(record, _RECORDS[record["status"]])
            if record["id"] != trial_id:
                raise ValueError(f"it is of trial {record['id']}")
            saved.check(record.get("config", {}))
            self._checked[trial_id] = record

        remedy = "restore it from a copy, or delete it to go on without this trial's figures"
        return self._read(f"trials/{trial_id}.json", remedy, check=check)

    def _read(self, name: str, remedy: str, **checks: Any) -> Any | None:
        return files.read_json(self.path / name, f"session_dir={self.path}: {name}", remedy, **checks)

    def check_record(self, event: Mapping[str, Any]) -> None:
        """Raise errors.DamagedError where a trial's record, if it is there, differs from the journal's end event."""
        record = self.record(event["trial"])
        names = ("status", "objective", "objectives")
        if record and any(record.get(name) != event.get(name) for name in names):
            name = f"trials/{event['trial']}.json"
            raise errors.DamagedError(
                f"session_dir={self.path}: {name} and journal.jsonl have another status or objective: one of them is "
                "damaged; restore it from a copy, or choose another --session_dir"
            )

    def records(self) -> list[dict[str, Any]]:
        """The records of all trials that have ended, by number."""
        records = (self.record(path.stem) for path in sorted(self.path.glob("trials/[!.]*.json")))
        return [record for record in records if record is not None]

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write the record of a trial that has ended."""
        path = self.path / "trials" / f"{record['id']}.json"
        files.make_folder(path.parent)
        files.write_json(path, record)

    def spent_s(self) -> float:
        """Seconds that the search has taken, all calls together."""
        return max((event["spent_s"] for event in self.journal.events()), default=0.0)

    def spent_petaflop(self) -> float:
        """`train_petaflop` of the completed trials, of the session's own trunk and of `--retrain_best`.

        A trial that failed has no report: its share is estimated from its seconds, by those of the completed ones.
        """
        records = self.records()
        seconds = {COMPLETED: 0.0, FAILED: 0.0}
        for record in records:
            seconds[record["status"]] += record["seconds"]
        of_trials = math.fsum(record.get("train_petaflop", 0.0) for record in records)
        of_failed = of_trials * seconds[FAILED] / seconds[COMPLETED] if seconds[COMPLETED] else 0.0
        runs = [RunFolder(path) for path in (self.trunk_dir, *sorted(self.path.glob("retrained/*-seed-*")))]
        of_runs = math.fsum(run.report()["train_petaflop"] for run in runs if run.is_finished)
        return of_trials + of_failed + of_runs

    def reported_spent_s(self) -> float:
        """Seconds that the search had taken by the latest report; 0 where that is missing or damaged."""
        with contextlib.suppress(errors.FailedError):
            report = self._read("report.json", "", schema=required({"spent_s": NUMBER}))
            return report["spent_s"] if report else 0.0
        return 0.0

    def remove_run(self, trial_id: str) -> None:
        """Remove the run folder of a trial, since networks would fill the disk."""
        path = self.run_dir(trial_id)
        shutil.rmtree(path, ignore_errors=True)
        if path.parent.exists():
            files.fsync(path.parent)  # else it would be there again after a power failure, and nothing would remove it


def ranked(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The records of completed trials, the best first; of equal ones the longer, then the earlier."""
    completed = [dict(record) for record in records if record["status"] == COMPLETED]
    return sorted(completed, key=lambda record: (-record["objective"], -rung_epochs(record), record["id"]))


def rung_epochs(record: Mapping[str, Any]) -> int:
    """The epochs of a trial's rung in Hyperband; 0 for the trials of other tuners."""
    return record["hyperparameters"].get("tuner/epochs", 0)


def hyperparameter_names(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The hyperparameters of these records, each of which may have only some; without Hyperband's entries."""
    names = dict.fromkeys(name for record in records for name in record["hyperparameters"])
    return [name for name in names if not name.startswith("tuner/")]
