"""A tuner session: what is searched and how, and the folder that holds what came of it.

session.json   journal.jsonl   trials/ID.json   runs/ID/ (under way)   trunk/   tensorboard/   workers/
report.json   report.md   best.json   *.png   retrained/   retrained.json

Every JSON appears whole, by a rename; the journal grows by whole lines.
"""

import contextlib
import dataclasses
import json
import math
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from models.config import presets, saved
from models.config.renamed import renamed
from models.config.training import TrainConfig
from pipeline.common import errors, files, locked_folder
from pipeline.common.config import Config, build, check_known, check_read, setting, settings, unread
from pipeline.data_config import SPLIT_FIELDS, DataConfig, SourceConfig
from tuning.sessions.journal import Journal
from tuning.sessions.search_space import OF_A_TRUNK, Space
from tuning.workers.job import TrainingJob

if TYPE_CHECKING:  # it costs seconds to import
    from keras_tuner import HyperParameters

TUNERS = ("hyperband", "bayesian", "random", "grid")
OBJECTIVES = ("both", "fine", "coarse")
COMPLETED, FAILED = "COMPLETED", "FAILED"
# What a session decides for all of its trials, whatever a space says.
OF_THE_SESSION = ("epochs", "patience", "seed", "init_from", "dataset", "data_dir", "archive", "max_steps")


@dataclasses.dataclass(frozen=True)
class SessionConfig(Config):
    """What a session searches, and for how long."""

    space: str = setting("heads", "what may be chosen: heads, original, full, or a Python file of your own")
    tuner: str = setting("hyperband", "search algorithm of Keras Tuner", choices=TUNERS)
    objective: str = setting(
        "both", "validation accuracy to raise, at a trial's end; both is their mean", choices=OBJECTIVES
    )
    fine_weight: float = setting(
        0.5, "of the fine accuracy in --objective=both; the coarse one has the rest", low=0.0, high=1.0
    )
    max_trials: int = setting(
        30, "so many at most; hyperband's number follows from --max_epochs, or from --max_minutes", low=1
    )
    max_epochs: int = setting(6, "epochs of a trial; hyperband's first rungs have fewer", low=1)
    patience: int = setting(0, "epochs without a better validation accuracy that end a trial; 0 is never", low=0)
    init_from: str = setting("", "of --space=heads: the run whose trunk is frozen; trained first where none is given")
    seed: int = setting(0, "of what is proposed, and of every trial's training", low=0)
    precision: str = setting(
        "auto",
        "auto is the fastest that this machine computes well",
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    )
    max_minutes: float = setting(
        0.0,
        "end after so many minutes, earlier calls included; hyperband repeats its brackets until then; 0 is no limit",
        low=0.0,
        identity=False,
    )
    workers: int = setting(1, "trials at a time, each in a process of its own", low=1, identity=False)


def objective(config: SessionConfig, report: Mapping[str, Any]) -> float:
    """What the session raises, 0 to 1, of a run's report on validation.

    Raises:
      errors.FailedError: the run does not answer what is asked, or was not measured on validation.
    """
    if report["split"] != "validation":
        raise errors.FailedError(f"measured on {report['split']}, expected validation")
    weights = {"fine": {"fine": 1.0}, "coarse": {"coarse": 1.0}}.get(
        config.objective, {"fine": config.fine_weight, "coarse": 1.0 - config.fine_weight}
    )
    found = {name: value for name, value in accuracies(report).items() if value is not None}
    if not weights.keys() <= found.keys():
        raise errors.FailedError(f"objective={config.objective}: the network answers {' and '.join(found)} alone")
    return math.fsum(weight * found[name] for name, weight in weights.items())


def accuracies(report: Mapping[str, Any]) -> dict[str, float | None]:
    """The fine accuracy of a run and its own coarse one, 0 to 1."""
    coarse = {"head": "coarse_accuracy", "summed": "coarse_from_fine_accuracy"}[report["coarse_source"]]
    return {"fine": report["fine_accuracy"], "coarse": report[coarse]}


class Session:
    """The files of one session, and how its trials become jobs. Made by `claim`."""

    def __init__(self, path: pathlib.Path, config: SessionConfig, space: Space, source: SourceConfig) -> None:
        self.path, self.config, self.space, self.source = path, config, space, source
        self.journal = Journal(path / "journal.jsonl")

    def declared(self) -> "HyperParameters":
        """Every hyperparameter of the space, and a check that its defaults make a configuration.

        Raises:
          errors.BadArgumentError: the space raises, has none, or makes something else, or nothing reads a value of its
            BASE with these defaults.
        """
        import keras_tuner

        hyperparameters = keras_tuner.HyperParameters()
        job = self.job("0", hyperparameters)
        check_read(self.space.base, job.data, job.train)
        if not hyperparameters.space:
            raise errors.BadArgumentError(f"space={self.config.space}: expected hyperparameters, found none")
        conditional = [one.name for one in hyperparameters.space if one.conditions]
        if conditional:
            raise errors.BadArgumentError(
                f"space={self.config.space}: {conditional[0]!r} is asked for under a condition; ask for each "
                "hyperparameter at every call, so that all trials have the same ones"
            )
        if not job.data.num_validation:
            raise errors.BadArgumentError(
                f"space={self.config.space}: num_validation=0; a search chooses on validation, so hold images out"
            )
        if job.train.heads == "coarse" and self.config.objective != "coarse":
            raise errors.BadArgumentError(
                f"objective={self.config.objective}: the space's networks answer coarse labels alone; expected coarse"
            )
        return hyperparameters

    def job(self, trial_id: str, hyperparameters: "HyperParameters") -> TrainingJob:
        """A trial's training: preset < the session's precision < the space's base < what it chooses < OF_THE_SESSION.

        Raises:
          errors.BadArgumentError: the space raises, makes no configuration, or sets what is the session's.
        """
        try:
            chosen = self.space.choose(hyperparameters)
        except Exception as error:  # whatever somebody's function does
            raise errors.BadArgumentError(f"space={self.config.space}: {type(error).__name__}: {error}") from error
        if not isinstance(chosen, dict):
            raise errors.BadArgumentError(
                f"space={self.config.space}: expected a dictionary of configuration fields, given {chosen!r}"
            )
        chosen = renamed(chosen)
        values = {**self.space.base, **chosen}
        check_known(values, settings(DataConfig, TrainConfig), f"space={self.config.space}")
        for name in values:
            if name in OF_THE_SESSION and name not in SPLIT_FIELDS:
                raise errors.BadArgumentError(
                    f"space={self.config.space}: sets {name!r}, which is the session's own; leave it out"
                )
        own = {"patience": self.config.patience, **self._epochs(hyperparameters), **self._trunk()}
        job = self._job(trial_id, {**chosen, **own})
        return dataclasses.replace(job, unread=tuple(unread(values, job.data, job.train)))

    def trunk_job(self, seed: int) -> TrainingJob:
        """The training of the trunk whose heads are searched: the preset, untuned, on the same images."""
        base = {name: value for name, value in self.space.base.items() if name in OF_A_TRUNK}
        return self._job("untuned", {"seed": seed}, base)

    def first_job(self) -> TrainingJob:
        """What is trained first: the trunk, where the session needs one of its own, or else a trial."""
        if self.space.has_frozen_trunk and not self.config.init_from:
            return self.trunk_job(self.config.seed)
        return self.job("0", self.declared())

    @property
    def trunk_dir(self) -> pathlib.Path:
        """Where the session's own trunk is trained."""
        return self.path / "trunk"

    def run_dir(self, trial_id: str) -> pathlib.Path:
        """Where a trial that is under way has its run folder."""
        return self.path / "runs" / trial_id

    def retrained_dir(self, job: TrainingJob) -> pathlib.Path:
        """Where what is trained again after the search has its run folder; the session's own trunk is there already."""
        if job == self.trunk_job(self.config.seed) and self.trunk_dir.exists():
            return self.trunk_dir
        return self.path / "retrained" / job.name

    def record(self, trial_id: str) -> dict[str, Any] | None:
        """What `write_record` kept of a trial; None where there is nothing, or nothing whole."""
        return files.read_json(self.path / "trials" / f"{trial_id}.json")

    def records(self) -> list[dict[str, Any]]:
        """Of all trials that have ended, by number."""
        found = (self.record(path.stem) for path in sorted(self.path.glob("trials/*.json")))
        return [record for record in found if record is not None]

    def spent_s(self) -> float:
        """Seconds that the search has taken, all calls together."""
        return max((event["spent_s"] for event in self.journal.events()), default=0.0)

    def retrained(self) -> dict[str, Any] | None:
        """What `write_retrained` kept."""
        return files.read_json(self.path / "retrained.json")

    def write_retrained(self, outcome: Mapping[str, Any]) -> None:
        """Keep what came of training the best trial again."""
        files.write_json(self.path / "retrained.json", outcome)

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Keep what came of a trial."""
        path = self.path / "trials" / f"{record['id']}.json"
        path.parent.mkdir(exist_ok=True)
        files.write_json(path, record, durable=True)  # the journal's line is, and would name a missing record

    def remove_run(self, trial_id: str) -> None:
        """Let go of a trial's run folder: its networks would fill the disk."""
        shutil.rmtree(self.run_dir(trial_id), ignore_errors=True)

    def _job(self, name: str, values: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> TrainingJob:
        base = self.space.base if base is None else base
        if base.get("dataset", self.source.dataset) != self.source.dataset:
            raise errors.BadArgumentError(
                f"init_from={self.config.init_from}: trained on {base['dataset']}, not on "
                f"{self.source.dataset}; give --dataset={base['dataset']}"
            )
        own = {"seed": self.config.seed, "precision": self.config.precision}
        layers = (presets.preset(base["preset"]), own, base, values)
        data = build(DataConfig, *layers, self.source.as_dict(), {"archive": ""})
        return TrainingJob(name, data, build(TrainConfig, *layers))

    def _epochs(self, hyperparameters: "HyperParameters") -> dict[str, float]:
        return {"epochs": float(hyperparameters.values.get("tuner/epochs", self.config.max_epochs))}

    def _trunk(self) -> dict[str, str]:
        if not self.space.has_frozen_trunk:
            return {}
        return {"init_from": self.config.init_from or str(self.trunk_dir)}


def ranked(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The trials that completed, the best first; of equal ones the earlier."""
    completed = [dict(record) for record in records if record["status"] == COMPLETED]
    return sorted(completed, key=lambda record: (-record["objective"], record["id"]))


@contextlib.contextmanager
def claim(path: pathlib.Path, config: SessionConfig, space: Space, source: SourceConfig) -> Iterator[Session]:
    """Open a session's folder, a new one or one to go on with, and keep other processes out until the context ends.

    Raises:
      errors.BadArgumentError: the folder holds something else, or a session of another configuration or space.
      errors.FailedError: it cannot be made, or another process is working in it.
    """
    with locked_folder.open_locked(path, flag="session_dir", identity="session.json"):
        session = Session(path, config, space, source)
        _refuse_other(session, _identity(session))
        yield session


def joined(path: pathlib.Path, config: SessionConfig, space: Space, source: SourceConfig) -> Session:
    """The session that another process has claimed, for a worker of it.

    Raises:
      errors.BadArgumentError: the folder holds no session, or one of another configuration or space.
    """
    if not (path / "session.json").exists():
        raise errors.BadArgumentError(f"session_dir={path}: expected a session's folder; start its chief first")
    session = Session(path, config, space, source)
    _refuse_other(session, _identity(session))
    return session


def _identity(session: Session) -> dict[str, Any]:
    """What makes the session what it is; the space by its hyperparameters and what their defaults make."""
    hyperparameters = session.declared()
    job = session.job("0", hyperparameters)
    return {
        **session.config.as_dict(identity_only=True),
        "hyperparameters": hyperparameters.get_config()["space"],
        "trial": {name: value for name, value in job.identity.items() if name != "init_from"},
    }


def _refuse_other(session: Session, identity: dict[str, Any]) -> None:
    file = session.path / "session.json"
    identity = json.loads(json.dumps(identity))
    if not file.exists():
        files.write_json(file, identity)
        return
    found = renamed(json.loads(file.read_text(encoding="utf-8")))
    for name, value in identity.items():
        if _comparable(name, found.get(name)) != _comparable(name, value):
            there, given = (
                f"{name}={part!r}" if isinstance(value, str | int | float) else f"another {name}"
                for part in (found.get(name), value)
            )
            hint = f"give --precision={found.get('precision')}, or " if name == "precision" else ""
            raise errors.BadArgumentError(
                f"session_dir={session.path} belongs to another session: {there} there, {given} given; "
                f"{hint}choose another --session_dir"
            )


def _comparable(name: str, value: Any) -> Any:
    """A value of `session.json`: of the trial, whose trunk may lie anywhere, the fields that this version reads."""
    return saved.normalised({**value, "init_from": "anywhere"}) if name == "trial" and value else value
