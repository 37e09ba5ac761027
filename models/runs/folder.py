"""A run's folder; every file in it appears whole, by a rename.

config.json   dataset.json   metrics.jsonl   model.keras   report.json   report.html   report.md
confusion.json   calibration.json   mistakes.json   predictions.json
checkpoint/state.npz   checkpoint/previous_state.npz
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from models.config import TrainConfig, saved
from models.config.fitted import fitted
from models.runs import schemas
from pipeline.common import errors, files, json_values, locked_folder, paths
from pipeline.data_config import AUTO, DataConfig
from pipeline.datasets import builtin
from pipeline.datasets.description import Description

if TYPE_CHECKING:
    import keras

_EVALUATE = "run models.evaluate to write it again"
_CALIBRATE = "delete it, or run models.evaluate on validation to write it again"
# What an evaluation writes: how each JSON file is checked, and what to do where it is damaged.
EVALUATED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "confusion": ({"schema": schemas.CONFUSION, "check": schemas.check_confusion}, _EVALUATE),
    "calibration": ({"schema": schemas.CALIBRATION, "check": schemas.check_calibration}, _CALIBRATE),
    "mistakes": ({"schema": schemas.MISTAKES}, _EVALUATE),
    "predictions": ({"schema": schemas.PREDICTIONS, "check": schemas.check_predictions}, _EVALUATE),
}

FILES = frozenset(
    ("config.json", "dataset.json", "metrics.jsonl", "model.keras", "report.json", "report.html", "report.md")
) | {f"{name}.json" for name in EVALUATED}


def previous_checkpoint(path: pathlib.Path) -> pathlib.Path:
    """The path of the checkpoint that was replaced by the one in `path`."""
    return path.with_name(f"previous_{path.name}")


class RunFolder:
    """The files of one run; errors begin with the flag that named its path."""

    def __init__(self, path: paths.AnyPath, flag: str = "run_dir") -> None:
        self.path, self._flag = path, flag = paths.local(path, flag), flag
        self.checkpoint = path / "checkpoint" / "state.npz"
        self.good_checkpoint = path / "checkpoint" / "good.npz"  # what --on_divergence=rollback returns to
        self.model = path / "model.keras"
        self.page = path / "report.html"
        self._is_locked = False  # by a context of this object

    @property
    def has_begun(self) -> bool:
        """Whether the run has a checkpoint or a report; a folder without either is free for another run."""
        return self.checkpoint.exists() or previous_checkpoint(self.checkpoint).exists() or self.is_finished

    @property
    def is_finished(self) -> bool:
        """Whether the run has written its report."""
        return (self.path / "report.json").exists()

    @property
    def awaits_validation(self) -> bool:
        """Whether a finished run is still to be evaluated on validation, as at the end of `models.train`.

        Runs of earlier versions are not, nor runs that were evaluated since, or can only be read.
        """
        report = self.report() if self.is_finished else {}
        is_held_out = report.get("num_validation") and report.get("fingerprints")
        return report.get("calibration") == {} and bool(is_held_out) and self.read_only_reason is None

    @property
    def has_page(self) -> bool:
        """Whether the page is there, whole, and drawn after the report was written."""
        if not self.page.is_file() or not self.page.read_bytes().rstrip().endswith(b"</html>"):
            return False
        report = self.path / "report.json"
        return not report.exists() or report.stat().st_mtime_ns <= self.page.stat().st_mtime_ns

    @property
    def read_only_reason(self) -> str | None:
        """Why the folder can only be read: read-only media, another user's; None where it can be written."""
        try:
            files.check_writable(self.path / "report.json")
        except OSError as error:
            return error.strerror if error.errno in files.WRONG_PLACE else None
        return None

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """A context in which a failed write to the folder is one line with its flag: `files.writing`."""
        return files.writing(self._flag, self.path)

    def as_begun(self, name: str, value: str) -> str:
        """The value of the begun run's field where `value` is "auto"; else `value`."""
        return self.config().get(name, AUTO) if value == AUTO and self.has_begun else value

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """A context that holds the folder's lock, also nested; errors.BusyError where another process holds it.

        So an evaluation may follow a training inside of `open_locked`.
        """
        if self._is_locked:
            yield
            return
        with locked_folder.open_locked(self.path, flag=self._flag, identity="config.json"):
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False

    def check_identity(self, identity: dict[str, Any]) -> None:
        """Raise errors.BadArgumentError unless the folder is new or its run has the values of `identity`."""
        locked_folder.check_content(self.path, flag=self._flag, identity="config.json")
        if not self.has_begun:
            return
        there = self.config()
        if _is_same_trunk(there, identity):
            identity = {name: value for name, value in identity.items() if name != "init_from"}
        changes = saved.differences(there, identity)
        if changes:
            raise errors.BadArgumentError(
                f"run_dir={self.path}: its run has {', '.join(changes)}; choose another --run_dir"
            )

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace `metrics.jsonl`: a row an epoch."""
        files.write_text(self.path / "metrics.jsonl", "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))

    def check_finished(self) -> "RunFolder":
        """The folder itself; errors.BadArgumentError if it holds no run, FailedError if that has not ended."""
        self.config()
        if not self.is_finished:
            raise errors.FailedError(f"{self._flag}={self.path}: expected a finished run; run models.train on it first")
        return self

    def check_readable(self) -> None:
        """Raise errors.DamagedError where a file of the finished run that its page is drawn from is damaged."""
        self.report()
        self.rows()

    def check_model(self) -> "RunFolder":
        """The folder itself; errors as of `check_finished`, and errors.FailedError if its model cannot be read."""
        self.check_finished()
        with self._reading_model(), self.model.open("rb"):
            return self

    def _reading_model(self) -> contextlib.AbstractContextManager[None]:
        return files.reading(f"{self._flag}={self.path}: model.keras", self._rewrite)

    def config(self) -> dict[str, Any]:
        """The content of `config.json`, the resolved configuration; errors.BadArgumentError if there is no run."""
        values = saved.read(self.path, self._flag)
        if values is None and self.has_begun:
            raise errors.FailedError(
                f"{self._flag}={self.path}: config.json is missing; restore it from a copy, or choose another "
                f"--{self._flag}"
            )
        if values is None:
            raise errors.BadArgumentError(f"{self._flag}={self.path}: expected a folder that models.train wrote")
        return values

    def configs(self) -> tuple[DataConfig, TrainConfig]:
        """The run's configurations, fitted to its data set; those of a training from Python are saved as given."""
        return fitted(*saved.configs(self.config()), self.description())

    def description(self) -> Description:
        """What the data set said of itself when the run began.

        Earlier versions knew the built-in data sets alone, and left no `dataset.json`.
        """
        remedy = f"restore it from a copy, or choose another --{self._flag}"
        values = self._read("dataset.json", remedy, check=Description.from_dict)
        if values is not None:
            return Description.from_dict(values)
        if (dataset := self.config().get("dataset")) not in builtin.VERSIONS:
            raise errors.FailedError(f"{self._flag}={self.path}: dataset.json is missing, of {dataset}; {remedy}")
        return builtin.describe(dataset)

    def write_description(self, description: Description) -> None:
        """Replace `dataset.json`."""
        files.write_json(self.path / "dataset.json", description.as_dict())

    def report(self) -> dict[str, Any]:
        """The content of `report.json`."""
        report = self._read("report.json", self._rewrite, schema=schemas.REPORT)
        if report is None:
            raise errors.FailedError(f"{self._flag}={self.path}: report.json is missing; {self._rewrite}")
        return report

    def model_sha256(self) -> str:
        """The SHA-256 of `model.keras`, by which a run is known wherever its folder lies.

        Raises errors.FailedError where the file cannot be read.
        """
        with self._reading_model(), self.model.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def load_model(self) -> "keras.Model":
        """The trained classifier.

        Raises errors.FailedError where `model.keras` is missing, damaged, of another version or for other classes.
        """
        from models.runs import saved_model

        counts, levels = self.description().classes.counts, self.configs()[1].head_names
        expected = {level: counts[level] for level in levels}
        with self._reading_model():
            model = saved_model.load(self.model)
            outputs = model.output if isinstance(model.output, dict) else {"": model.outputs[0]}
            predicted = {level: logits.shape[-1] for level, logits in outputs.items()}
            if predicted != expected:
                raise ValueError(f"it predicts {predicted} classes, expected {expected}")
        return model

    def evaluated(self, name: str) -> dict[str, Any] | None:
        """The content of a file of EVALUATED, by its name there; None before the first evaluation."""
        checks, remedy = EVALUATED[name]
        return self._read(f"{name}.json", remedy, **checks)

    def write_evaluated(self, name: str, value: dict[str, Any]) -> None:
        """Replace a file of EVALUATED."""
        files.write_text(self.path / f"{name}.json", json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")

    def temperatures(self) -> dict[str, float]:
        """The temperatures that an evaluation on validation fitted, by answer; {} where none did."""
        return (self.evaluated("calibration") or {}).get("temperatures", {})

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `metrics.jsonl`; none where it is missing."""
        path, rows = self.path / "metrics.jsonl", []
        with files.reading(f"{self._flag}={self.path}: metrics.jsonl", self._rewrite):
            try:
                text = path.read_text(encoding="utf-8-sig")
            except (FileNotFoundError, NotADirectoryError):
                return []
            for number, line in enumerate(text.splitlines(), start=1):
                try:
                    rows.append(json_values.parse(line, schemas.ROW))
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from error
        return rows

    @property
    def _rewrite(self) -> str:
        """How to get a file of a finished run again."""
        if not (self.checkpoint.exists() or previous_checkpoint(self.checkpoint).exists()):
            return f"restore it from a copy, or train again with another --{self._flag}"
        return "delete report.json and run the same models.train command, which writes it again from the checkpoint"

    def _read(self, name: str, remedy: str, **checks: Any) -> Any | None:
        return files.read_json(self.path / name, f"{self._flag}={self.path}: {name}", remedy, **checks)

    def write_report(self, report: dict[str, Any]) -> None:
        """Replace `report.json`."""
        files.write_json(self.path / "report.json", report)


def given(run_dir: str) -> RunFolder:
    """The folder that the flag `--run_dir` names; errors.BadArgumentError where it is not set."""
    if not run_dir:
        raise errors.BadArgumentError("run_dir is missing: expected --run_dir=FOLDER that models.train wrote")
    return RunFolder(run_dir)


@contextlib.contextmanager
def open_locked(path: paths.AnyPath, config: dict[str, Any], identity: dict[str, Any]) -> Iterator[RunFolder]:
    """Make or continue a run's folder, whose parents are made, and hold its lock until the context ends.

    `config`, the resolved configuration, is written where the folder is new; a run to continue must have the fields of
    `identity`.

    Raises:
      errors.BadArgumentError: the folder holds something else, or a run of another configuration.
      errors.FailedError: another process is working in it.
    """
    folder = RunFolder(path)
    folder.check_identity(identity)
    with folder.locked():
        folder.check_identity(identity)  # another process may have written there since
        if not folder.has_begun:
            # Of another run, whose checkpoint and report somebody has removed.
            for name in (*(f"{name}.json" for name in EVALUATED), "report.html", "report.md"):
                (folder.path / name).unlink(missing_ok=True)
            files.write_json(folder.path / "config.json", {**config, **_trunk_digest(config)})
        yield folder


def _trunk_digest(config: Mapping[str, Any]) -> dict[str, str]:
    """The digest of the model whose trunk a run begins with; {} where it has none of its own."""
    trunk = RunFolder(config["init_from"], "init_from") if config.get("init_from") else None
    return {saved.TRUNK_SHA256: trunk.model_sha256()} if trunk and trunk.model.exists() else {}


def _is_same_trunk(there: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether two configurations begin with the trunk of one run, which may have moved or be spelled in another way."""
    before, now = (config.get("init_from") or "" for config in (there, given))
    if not before or not now:
        return False
    recorded = {saved.TRUNK_SHA256: there.get(saved.TRUNK_SHA256)}
    return os.path.realpath(before) == os.path.realpath(now) or _trunk_digest(given) == recorded
