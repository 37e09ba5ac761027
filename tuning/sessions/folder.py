"""The folder of a tuner session: its files, and where its runs lie.

session.json   journal.jsonl   trials/ID.json   runs/ID/ (under way)   trunk/   tensorboard/   workers/
report.json   report.md   best.json   *.png   retrained/   retrained.json

Each JSON file is replaced by a rename; the journal grows by whole lines.
"""

import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.common import files
from tuning.sessions.journal import Journal
from tuning.workers.job import TrainingJob

COMPLETED, FAILED = "COMPLETED", "FAILED"  # the status of a record


class SessionFolder:
    """The files of one session."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.identity_file = path / "session.json"
        self.report_file = path / "report.json"
        self.retrained_file = path / "retrained.json"  # the result of `--retrain_best`
        self.trunk_dir = path / "trunk"  # the run folder of the session's own trunk
        self.journal = Journal(path / "journal.jsonl")

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

    def record(self, trial_id: str) -> dict[str, Any] | None:
        """The record of a trial; None where it is missing or damaged."""
        return files.read_json(self.path / "trials" / f"{trial_id}.json")

    def records(self) -> list[dict[str, Any]]:
        """The records of all trials that have ended, by number."""
        records = (self.record(path.stem) for path in sorted(self.path.glob("trials/*.json")))
        return [record for record in records if record is not None]

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write the record of a trial that has ended."""
        path = self.path / "trials" / f"{record['id']}.json"
        files.make_folder(path.parent)
        files.write_json(path, record)  # the journal's line is, and would name a missing record

    def spent_s(self) -> float:
        """Seconds that the search has taken, all calls together."""
        return max((event["spent_s"] for event in self.journal.events()), default=0.0)

    def remove_run(self, trial_id: str) -> None:
        """Remove the run folder of a trial, since networks would fill the disk."""
        shutil.rmtree(self.run_dir(trial_id), ignore_errors=True)


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
