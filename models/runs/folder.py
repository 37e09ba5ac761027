"""A run's folder: what it is, how far it is, what it scored. Every file appears whole, by a rename.

config.json   metrics.jsonl   checkpoint/state.npz   model.keras   report.json   confusion.json   report.html
"""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from models.config import saved
from pipeline.common import errors, files, locked_folder


class RunFolder:
    """The files of one run. Made by `claim`, which keeps a second process and another configuration out."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.checkpoint = path / "checkpoint" / "state.npz"
        self.model = path / "model.keras"
        self.page = path / "report.html"

    @property
    def has_begun(self) -> bool:
        """Whether there is anything of a run to lose: a folder without a checkpoint may be another run's."""
        return self.checkpoint.exists() or self.is_finished

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended and reported."""
        return (self.path / "report.json").exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that works in the folder; the kernel frees it, however the process ends.

        Raises:
          errors.BusyError: another process is.
        """
        with locked_folder.open_locked(self.path, flag="run_dir", identity="config.json"):
            yield

    def refuse_unless(self, identity: dict[str, Any]) -> None:
        """See that the folder is new, or that the run in it is the one that `identity` describes.

        Raises:
          errors.BadArgumentError: it is neither.
        """
        locked_folder.check_content(self.path, flag="run_dir", identity="config.json")
        if not (self.path / "config.json").exists():
            return
        changes = saved.differences(self.config(), identity) if self.has_begun else []
        if changes:
            raise errors.BadArgumentError(
                f"run_dir={self.path} belongs to another configuration: {', '.join(changes)}; choose another --run_dir"
            )

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace `metrics.jsonl`: one object an epoch."""
        files.write_text(self.path / "metrics.jsonl", "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))

    def refuse_unfinished(self) -> None:
        """See that a run has ended here.

        Raises:
          errors.BadArgumentError: the folder is no run's.
          errors.FailedError: the run has not ended.
        """
        self.config()
        if not self.is_finished:
            raise errors.FailedError(f"run_dir={self.path}: expected a finished run; run models.train on it first")

    def config(self) -> dict[str, Any]:
        """The whole configuration that the run was started with.

        Raises:
          errors.BadArgumentError: the folder is no run folder.
        """
        try:
            return json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise errors.BadArgumentError(f"run_dir={self.path}: expected a folder that models.train wrote") from error

    def report(self) -> dict[str, Any]:
        """What `report.json` holds."""
        return json.loads((self.path / "report.json").read_text(encoding="utf-8"))

    def confusion(self) -> dict[str, Any] | None:
        """What `confusion.json` holds; None before the first evaluation."""
        path = self.path / "confusion.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def rows(self) -> list[dict[str, Any]]:
        """What `metrics.jsonl` holds."""
        lines = (self.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def write_report(self, report: dict[str, Any]) -> None:
        """Replace `report.json`."""
        files.write_json(self.path / "report.json", report, indent=2)

    def write_confusion(self, confusion: dict[str, Any]) -> None:
        """Replace `confusion.json`."""
        files.write_text(self.path / "confusion.json", json.dumps(confusion, separators=(",", ":")) + "\n")


@contextlib.contextmanager
def claim(path: str, config: dict[str, Any], identity: dict[str, Any]) -> Iterator[RunFolder]:
    """Open a run's folder, a new one or one to go on with, and keep it until the context ends.

    Args:
      path: the folder; its parents are made.
      config: the whole resolved configuration; written when the folder is new.
      identity: the part of it that makes the run what it is.

    Raises:
      errors.BadArgumentError: the folder holds something else, or a run of another configuration.
      errors.FailedError: another process is working in it.
    """
    folder = RunFolder(pathlib.Path(path))
    folder.refuse_unless(identity)
    with folder.locked():
        folder.refuse_unless(identity)  # it may have changed hands since
        if not folder.has_begun:
            files.write_json(folder.path / "config.json", config, indent=2)
        yield folder


def finished(path: str, flag: str) -> RunFolder:
    """The folder of a run that has ended.

    Args:
      path: of the folder.
      flag: that named it; errors begin with it.

    Raises:
      errors.BadArgumentError: the folder is no run's.
      errors.FailedError: the run has not ended.
    """
    run = RunFolder(pathlib.Path(path))
    try:
        run.refuse_unfinished()
    except (errors.BadArgumentError, errors.FailedError) as error:
        raise type(error)(f"{flag}{str(error).removeprefix('run_dir')}") from error
    return run
