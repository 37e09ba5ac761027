"""Options of one call: what happens after the search and where it runs. They may change from call to call."""

import dataclasses
import importlib.util
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.common import errors
from tuning.sessions import chief_address
from tuning.sessions.config import SessionConfig
from tuning.sessions.folder import ranked
from tuning.sessions.search_space import Space
from tuning.sessions.trade_offs.front import front

MAX_CHOICES = 20  # in an error


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags of `tuning.tune` that are no part of a session.

    Attributes:
      retrain_best: whether the best trial is retrained after the search.
      pick: number of the trial that is retrained instead of the best one; "" is none.
      retrain_seeds: number of seeds of a retraining.
      retrain_controls: whether the controls of `tuning.sessions.retraining` are trained too.
      serve: HOST:PORT where the session's chief listens; "" searches without one.
      join: HOST:PORT of the chief whose trials are trained here; "" is none.
      token_file: path of the secret of chief and workers; "" is none.
      insecure: whether an address that other machines reach may do without it.
    """

    retrain_best: bool = False
    pick: str = ""
    retrain_seeds: int = 3
    retrain_controls: bool = False
    serve: str = ""
    join: str = ""
    token_file: str = ""
    insecure: bool = False

    @property
    def retrains(self) -> bool:
        """Whether a trial is retrained."""
        return self.retrain_best or bool(self.pick)

    @property
    def token(self) -> str:
        """The token of the chief; "" where no file is set."""
        return chief_address.token(pathlib.Path(self.token_file)) if self.token_file else ""

    def picked(self, config: SessionConfig, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The record of the trial to retrain.

        Raises:
          errors.BadArgumentError: no trial of the number `pick` has completed.
        """
        completed, names = ranked(records), config.objective_names
        if not self.pick:
            return completed[0]
        for record in completed:
            if record["id"].lstrip("0") == self.pick.lstrip("0"):  # some tuners write 0007
                return record
        choices = front(records, names) if len(names) > 1 else completed
        numbers = ", ".join(record["id"] for record in choices[:MAX_CHOICES]) or "none yet"
        raise errors.BadArgumentError(
            f"pick={self.pick!r}: expected the number of a completed trial; the best: {numbers}"
        )

    def check(self, given: Mapping[str, Any], config: SessionConfig, space: Space) -> None:
        """Check that the flags that were `given` contradict neither one another nor the space.

        Raises:
          errors.BadArgumentError: some do, or nothing would read one.
        """
        self._check_addresses(given, config)
        self._check_retraining(given, config)
        if "max_trials" in given and config.tuner == "hyperband":
            raise errors.BadArgumentError(
                f"max_trials={config.max_trials}: hyperband's number of trials follows from --max_epochs, "
                "--max_minutes or --max_petaflop; leave it out"
            )
        if "objective" in given and "objectives" in given:
            raise errors.BadArgumentError(
                f"objective={given['objective']} and objectives={given['objectives']}: set only one of them"
            )
        if config.tuner == "optuna" and importlib.util.find_spec("optuna") is None:
            raise errors.BadArgumentError(
                "tuner=optuna: needs optuna, which is not installed; run: python -m pip install -e '.[optuna]'"
            )
        if "fine_weight" in given and "both" not in config.objective_names:
            raise errors.BadArgumentError(
                f"fine_weight={config.fine_weight}: --objective={config.objective} does not read it; leave it out, or "
                "choose --objective=both"
            )
        if "precision" in given and "precision" in space.base:
            raise errors.BadArgumentError(
                f"precision={config.precision}: the space sets {space.base['precision']}; leave it out"
            )

    def _check_addresses(self, given: Mapping[str, Any], config: SessionConfig) -> None:
        if self.serve and self.join:
            raise errors.BadArgumentError(f"serve={self.serve} and join={self.join}: set only one of them")
        if self.token_file and self.insecure:
            raise errors.BadArgumentError(f"insecure=True and token_file={self.token_file}: set only one of them")
        for name, value in (("serve", self.serve), ("join", self.join)):
            if value:
                chief_address.check(name, value)
                chief_address.check_protected(name, value, has_token=bool(self.token), is_insecure=self.insecure)
        for name in ("token_file", "insecure"):
            if given.get(name) and not (self.serve or self.join):
                raise errors.BadArgumentError(
                    f"{name}={given[name]}: nothing reads it without --serve or --join; leave it out"
                )
        if self.serve and "workers" in given:
            raise errors.BadArgumentError(
                f"workers={config.workers} and serve={self.serve}: a chief trains no trial; set --workers where you "
                "--join"
            )

    def _check_retraining(self, given: Mapping[str, Any], config: SessionConfig) -> None:
        for name in ("retrain_seeds", "retrain_controls"):
            if given.get(name) and not self.retrains:
                raise errors.BadArgumentError(
                    f"{name}={given[name]}: nothing reads it without --retrain_best or --pick; leave it out"
                )
        if self.retrain_best and config.objectives:
            raise errors.BadArgumentError(
                f"retrain_best=True: none is the best in objectives={config.objectives}; choose one by --pick"
            )
        if self.pick and self.retrain_best:
            raise errors.BadArgumentError(f"pick={self.pick} and retrain_best=True: set only one of them")
        if self.pick and (self.serve or self.join):
            raise errors.BadArgumentError(f"pick={self.pick}: nothing reads it with --serve or --join; leave it out")
