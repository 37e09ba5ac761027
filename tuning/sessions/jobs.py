"""JobFactory: the training jobs that a tuner session makes of hyperparameters."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from models.config import presets, saved
from models.config.fitted import fitted
from models.config.renamed import renamed
from models.config.training import TrainConfig
from models.runs.folder import RunFolder
from models.training import preconditions
from pipeline.common import errors
from pipeline.common.config import build, check_known, check_read, own_settings, settings, unread
from pipeline.data_config import AUTO, SPLIT_FIELDS, DataConfig, SourceConfig
from pipeline.datasets import prepared
from tuning.sessions.config import SessionConfig
from tuning.sessions.search_space import OF_A_TRUNK, Space
from tuning.workers.job import TrainingJob

if TYPE_CHECKING:  # it costs seconds to import
    from tuning.sessions.oracles.conditional_space import ConditionalSpace

# The fields that the session sets for all of its trials; a space may not.
OF_THE_SESSION = ("epochs", "patience", "seed", "init_from", "max_steps", *own_settings(SourceConfig))


class JobFactory:
    """Makes the training jobs of a session, whose own trunk is in the run folder `trunk_dir`."""

    def __init__(self, config: SessionConfig, space: Space, source: SourceConfig, trunk_dir: pathlib.Path) -> None:
        self.config, self.space, self.source, self._trunk_dir = config, space, source, trunk_dir
        self._hyperparameters: ConditionalSpace | None = None

    def hyperparameters(self) -> "ConditionalSpace":
        """The hyperparameters of the space, whose defaults are checked to make a configuration.

        They are collected once: the space is called hundreds of times for it.

        Raises:
          errors.BadArgumentError: the space raises, has none, gives one two ranges, or makes something else, or nothing
            ever reads a value of its BASE.
        """
        from tuning.sessions.oracles.conditional_space import ConditionalSpace

        if self._hyperparameters is not None:
            return self._hyperparameters
        try:
            space = ConditionalSpace(self.space.choose)
        except errors.BadArgumentError as error:
            raise self._bad_space(str(error)) from error
        job = self.trial("0", space.defaults)
        self._check_base(space, job)
        self._check_branches(space)
        if not space.defaults:
            raise self._bad_space("expected hyperparameters, got none")
        self._check_held_out(job)
        others = [name for name in self.config.objective_names if name in ("both", "fine")]
        if job.train.heads == "coarse" and others:
            raise errors.BadArgumentError(
                f"objective={others[0]}: the space's networks have a coarse head only; expected coarse"
            )
        self._hyperparameters = space
        return space

    def check_shared(self) -> None:
        """Check the fields that all trials share, and the trunk's job. Needs no TensorFlow.

        Raises:
          errors.BadArgumentError, errors.FailedError: as of `models.training.preconditions.check`.
        """
        base = self.space.base
        values: dict[str, Any] = {"patience": self.config.patience, "epochs": float(self.config.max_epochs)}
        values |= {"init_from": self.config.init_from} if self.space.has_frozen_trunk else {}
        values |= {} if "batch_size" in base else {"batch_size": 1}  # which the space may choose
        jobs = [self._job("shared", values, base)]
        self._check_held_out(jobs[0])
        for job in [*jobs, self.trunk(self.config.seed)] if self.needs_trunk else jobs:
            preconditions.check(job.data, job.train)

    def _check_held_out(self, job: TrainingJob) -> None:
        if not preconditions.num_held_out(job.data):
            raise self._bad_space("num_validation=0; a search chooses on validation, so hold images out")

    def trial(self, trial_id: str, values: Mapping[str, Any]) -> TrainingJob:
        """The job of a trial: preset < the session's precision < BASE < the space's choices < OF_THE_SESSION.

        Raises:
          errors.BadArgumentError: the space raises, makes no configuration, sets what is the session's, or asks for a
            hyperparameter that is not among the trial's `values`.
        """
        chosen = self._chosen(values)
        values_of_space = {**self.space.base, **chosen}
        self._check_fields(values_of_space)
        of_session: dict[str, Any] = {
            "patience": self.config.patience,
            "epochs": float(values.get("tuner/epochs", self.config.max_epochs)),
        }
        if self.space.has_frozen_trunk:
            of_session["init_from"] = self.config.init_from or str(self._trunk_dir)
        job = self._job(trial_id, {**chosen, **of_session}, self.space.base)
        return dataclasses.replace(job, unread=tuple(unread(values_of_space, job.data, job.train)))

    def _chosen(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that the space chooses at these values of its hyperparameters."""
        from tuning.sessions.oracles.conditional_space import HyperParameters

        hyperparameters = HyperParameters(lambda one: one.default)
        hyperparameters.values = dict(values)
        try:
            chosen = self.space.choose(hyperparameters)
        except (Exception, SystemExit) as error:  # whatever somebody's function does
            raise self._bad_space(f"{type(error).__name__}: {error}{self.space.where(error)}") from error
        if not isinstance(chosen, dict):
            raise self._bad_space(f"expected a dictionary of configuration fields, got {chosen!r}")
        beyond = hyperparameters.values.keys() - values.keys()
        if beyond:
            raise self._bad_space(
                f"asks for {min(beyond)!r} at one call and not at another with the same values; what it asks for may "
                "depend on hyperparameters alone"
            )
        return renamed(chosen)

    def _check_fields(self, names: Iterable[str]) -> None:
        """Check that a space may set the fields of these names."""
        check_known(dict.fromkeys(names), settings(DataConfig, TrainConfig), f"space={self.config.space}")
        for name in names:
            if name in OF_THE_SESSION and name not in SPLIT_FIELDS:
                raise self._bad_space(f"sets {name!r}, which the session sets; leave it out")

    def _check_branches(self, space: "ConditionalSpace") -> None:
        """Check the fields that are set where hyperparameters are not at their defaults."""
        fields: set[str] = set()
        for values in space.explored:
            with contextlib.suppress(errors.BadArgumentError):  # a trial of these values fails and says why
                fields |= self._chosen(values).keys()
        self._check_fields(sorted(fields))

    def _check_base(self, space: "ConditionalSpace", job: TrainingJob) -> None:
        """Check that the values of BASE are read by the job of the defaults, or at least by one of another branch."""
        names = set(unread(self.space.base, job.data, job.train))
        for values in space.explored if names else ():
            with contextlib.suppress(errors.BadArgumentError):  # of a trial that would fail
                other = self.trial("0", values)
                names &= set(unread(self.space.base, other.data, other.train))
        check_read({name: self.space.base[name] for name in self.space.base if name in names}, job.data, job.train)

    @property
    def needs_trunk(self) -> bool:
        """Whether the session trains a trunk of its own."""
        return self.space.has_frozen_trunk and not self.config.init_from

    def trunk(self, seed: int) -> TrainingJob:
        """The job of the trunk whose heads are searched: the untuned preset on the same images.

        It begins with the weights that the run in `init_from` itself began with, if any.
        """
        base = {name: value for name, value in self.space.base.items() if name in OF_A_TRUNK}
        values: dict[str, Any] = {"seed": seed}
        if self.config.init_from:
            _, train = saved.configs(RunFolder(self.config.init_from, "init_from").config())
            values["init_from"] = train.init_from
        return self._job("untuned", values, base)

    def first(self) -> TrainingJob:
        """The first job: the trunk, where the session needs one of its own, or else a trial."""
        return self.trunk(self.config.seed) if self.needs_trunk else self.trial("0", self.hyperparameters().defaults)

    def _bad_space(self, problem: str) -> errors.BadArgumentError:
        return errors.BadArgumentError(f"space={self.config.space}: {problem}")

    def _job(self, name: str, values: Mapping[str, Any], base: Mapping[str, Any]) -> TrainingJob:
        if base.get("dataset", self.source.dataset) != self.source.dataset:
            if not self.config.init_from:
                raise self._bad_space("sets 'dataset', which the session sets; leave it out")
            raise errors.BadArgumentError(
                f"init_from={self.config.init_from}: trained on {base['dataset']}, not on "
                f"{self.source.dataset}; set --dataset={base['dataset']}"
            )
        defaults = {"seed": self.config.seed, "precision": self.config.precision}
        layers = (presets.preset(base["preset"]), defaults, base, values)
        data = build(DataConfig, *layers, self.source.as_dict(), {"archive": ""})
        train = build(TrainConfig, *layers)
        if train.precision == AUTO:  # of a space: one precision in all processes of the session
            train = train.replace(precision=self.config.precision)
        description = prepared.describe(data.data_dir, data.prepared_name)
        if description:
            data, train = fitted(data, train, description, {key: layer[key] for layer in layers for key in layer})
        return TrainingJob(name, data, train)
