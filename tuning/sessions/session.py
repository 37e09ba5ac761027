"""A tuner session that a process opens or joins: its folder, and the jobs that it makes."""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from models.config import saved
from models.config.renamed import renamed
from models.runs.folder import RunFolder
from pipeline import contents
from pipeline.common import errors, files, locked_folder, paths
from pipeline.data_config import AUTO, SourceConfig
from pipeline.datasets import prepared
from tuning.sessions import journal
from tuning.sessions.config import SessionConfig
from tuning.sessions.folder import SessionFolder
from tuning.sessions.jobs import JobFactory
from tuning.sessions.search_space import Space


class Session:
    """One session. Made by `open_session` and `join_session`, which check the folder."""

    def __init__(self, path: paths.AnyPath, config: SessionConfig, space: Space, source: SourceConfig) -> None:
        self.config, self.space, self.source = config, space, source
        self.folder = SessionFolder(paths.local(path, "session_dir").absolute())
        self.jobs = JobFactory(config, space, source, self.folder.trunk_dir)

    def settle_data(self) -> None:
        """Write the data set's fingerprints; errors.BadArgumentError where the session began on other data."""
        fingerprints = contents.fingerprints(prepared.folder(self.source.data_dir, self.source.prepared_name))
        identity = self.folder.identity() or {}
        if "fingerprints" in identity or self.folder.has_begun:
            fingerprints.check_continued(identity.get("fingerprints"), f"session_dir={self.folder.path}")
        else:
            files.write_json(self.folder.identity_file, {**identity, "fingerprints": fingerprints.as_dict()})

    @property
    def is_finished_by_earlier_version(self) -> bool:
        """Whether a version without fingerprints ended the session: it can be reported, not continued."""
        has_fingerprints = "fingerprints" in (self.folder.identity() or {})
        return not has_fingerprints and self.folder.has_ended

    def config_of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration of a trial that has ended, for a file in the session's folder.

        Its paths are those of this call, as its folders may have moved since; the session's own trunk is relative.
        """
        paths_now = {"data_dir": self.source.data_dir}
        if self.space.has_frozen_trunk:
            trunk = self.folder.trunk_dir.name if self.jobs.needs_trunk else os.path.abspath(self.config.init_from)
            paths_now["init_from"] = trunk
        return {**record["config"], **paths_now}


@contextlib.contextmanager
def open_session(path: paths.AnyPath, config: SessionConfig, space: Space, source: SourceConfig) -> Iterator[Session]:
    """Open a session's folder, new or begun, and keep other processes out until the context ends.

    Raises:
      errors.BadArgumentError: it holds something else, or a session of another configuration or space.
      errors.BusyError: another process works in it.
      errors.FailedError: it cannot be made.
    """
    session = Session(path, config, space, source)
    with locked_folder.open_locked(session.folder.path, flag="session_dir", identity="session.json"):
        _check_identity(session)
        _check_whole(session.folder)
        yield session


def check_begun(path: paths.AnyPath) -> None:
    """Raise errors.BadArgumentError unless the folder holds a session."""
    if not SessionFolder(paths.local(path, "session_dir")).identity_file.exists():
        raise errors.BadArgumentError(f"session_dir={path}: expected a session's folder; start its chief first")


def join_session(path: paths.AnyPath, config: SessionConfig, space: Space, source: SourceConfig) -> Session:
    """The session that another process has opened, for a worker of it.

    Raises:
      errors.BadArgumentError: the folder holds no session, or one of another configuration or space.
    """
    check_begun(path)
    session = Session(path, config, space, source)
    _check_identity(session)
    return session


def begun_precision(path: paths.AnyPath, name: str) -> str:
    """The precision of the session that has begun in a folder where `name` is "auto"; else `name`."""
    folder = SessionFolder(paths.local(path, "session_dir").absolute())
    return (folder.identity() or {}).get("precision", name) if name == AUTO else name


def _identity(session: Session) -> dict[str, Any]:
    """What makes two sessions the same; of the space, its hyperparameters and the job that their defaults make."""
    space = session.jobs.hyperparameters()
    job = session.jobs.trial("0", space.defaults)
    trunk = session.config.init_from
    return {
        **session.config.as_dict(identity_only=True),
        "space": session.space.name,
        "init_from": trunk and RunFolder(trunk, "init_from").model_sha256(),
        "hyperparameters": space.hyperparameters().get_config()["space"],
        "trial": {name: value for name, value in job.identity.items() if name != "init_from"},
    }


def _check_identity(session: Session) -> None:
    """Check that the folder is of this very session; a new folder becomes it."""
    path = session.folder.identity_file
    identity = json.loads(json.dumps(_identity(session)))
    try:
        there = session.folder.identity()
    except errors.DamagedError:
        if session.folder.has_begun:
            raise
        there = None
    if there is None:
        files.write_json(path, identity)
        return
    saved_identity = {"objectives": "", **renamed(there)}  # earlier versions had one
    for name, value in identity.items():
        saved_value = saved_identity.get(name)
        if _comparable(name, saved_value) != _comparable(name, value):
            is_short = isinstance(value, str | int | float)
            before, given = (f"{name}={part!r}" if is_short else f"another {name}" for part in (saved_value, value))
            raise errors.BadArgumentError(
                f"session_dir={session.folder.path} belongs to another session: {before} there, {given} given; "
                "choose another --session_dir"
            )
    _check_trials(session)


def _check_whole(folder: SessionFolder) -> None:
    """Check that the journal, the records and the report name one another; warn of what the search can do without.

    Raises:
      errors.DamagedError: the journal lacks a trial that has a record.
    """
    events, recorded = folder.journal.events(), {record["id"] for record in folder.records()}
    begun, ended = ({event["trial"] for event in events if event["event"] == kind} for kind in ("begin", "end"))
    if unknown := recorded - begun:
        problem = f"the line that begins trial {min(unknown)}, which has a record, is missing"
        raise errors.DamagedError(f"{folder.journal.where}: {problem}; {journal.REMEDY}")
    for trial_id in sorted(ended - recorded):
        print(
            f"warning: session_dir={folder.path}: trials/{trial_id}.json is missing; the search goes on with the "
            "objective in journal.jsonl, and reports leave the trial out unless you restore the file from a copy",
            file=sys.stderr,
        )
    spent_s = folder.reported_spent_s()
    if spent_s > folder.spent_s():
        print(
            f"warning: {folder.journal.where}: its last lines are missing; the time of the search, {spent_s:g} s, is "
            "taken from report.json",
            file=sys.stderr,
        )
        folder.journal.append({"event": "time", "spent_s": spent_s})


def _check_trials(session: Session) -> None:
    """Check that the space, which may compute with what it imports, still makes the same trials of the same values."""
    for event in session.folder.journal.events():
        if event["event"] == "end":
            session.folder.check_record(event)
        if event["event"] == "begin":
            record = session.folder.record(event["trial"])
            config = record.get("config") if record else _config_of_run(session.folder.run_dir(event["trial"]))
            changes = _changes(session, event["values"], config)
            if changes:
                raise errors.BadArgumentError(
                    f"space={session.config.space}: has changed since trial {event['trial']}, which has {changes[0]}; "
                    "restore it, or choose another --session_dir"
                )


def _config_of_run(path: pathlib.Path) -> dict[str, Any] | None:
    """The configuration of a trial under way; None where it is missing, or damaged before the first checkpoint."""
    run = RunFolder(path, "session_dir")
    try:
        return run.config() if (path / "config.json").exists() else None
    except errors.DamagedError:
        if run.has_begun:
            raise
        return None


def _changes(session: Session, values: dict[str, Any], config: dict[str, Any] | None) -> list[str]:
    """How the configuration of a trial differs from the one that its hyperparameters make now."""
    if config is None:  # it failed, or never began
        return []
    identity = session.jobs.trial("", values).identity
    return saved.differences(config, {name: value for name, value in identity.items() if name != "init_from"})


def _comparable(name: str, value: Any) -> Any:
    """A value of `session.json`, of the trial, whose trunk may lie anywhere, the fields that this version reads.

    Earlier versions wrote paths of the space's file and of the trunk's run, which may have moved since.
    """
    if name == "space" and value:
        return pathlib.Path(value).stem
    if name == "init_from" and value and (run := RunFolder(value)).model.exists():
        return run.model_sha256()
    return saved.normalised({**value, "init_from": "anywhere"}) if name == "trial" and value else value
