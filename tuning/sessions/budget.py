"""The minutes and the arithmetic of a tuner session, and whether another trial fits into them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from models.runs.folder import RunFolder
from pipeline.common import durations
from tuning.sessions.folder import ranked
from tuning.sessions.session import Session
from tuning.workers.pool import TimeUpError

KEPT_SECONDS = 30.0  # between two lines of the journal
FLOAT32_FACTOR = 2.0  # seconds of a training in float32 over those in bfloat16, on CPUs that have bfloat16
MARGIN = 1.15  # of the seconds that a trial may take beyond what others took
CLOSING_SECONDS = 10.0  # of saving what is under way and drawing the report; at most a tenth of the minutes


class Budget:
    """The session's minutes and its arithmetic, all calls together.

    What is under way when the minutes are over is interrupted. A trial that has begun within the arithmetic ends.

    Args:
      session: whose limits they are.
      num_retrained: seeds with which the best trial is retrained after the search.
      has_controls: whether the controls are retrained with it.
      began: when this call of the session began, of `time.perf_counter()`; now where it is None.
    """

    def __init__(
        self, session: Session, num_retrained: int = 0, began: float | None = None, has_controls: bool = False
    ) -> None:
        self._session, self._num_retrained, self._has_controls = session, num_retrained, has_controls
        self._began = time.perf_counter() if began is None else began
        self._spent_before, self._kept = session.folder.spent_s(), self._began
        minutes = session.config.max_minutes
        self._closing = min(CLOSING_SECONDS, 6.0 * minutes)
        self._limit = 60.0 * minutes - self._closing if minutes else math.inf
        self.reserved = 0.0  # seconds of what comes after the trials, since the last one began

    def spent(self) -> float:
        """Seconds that the session has taken."""
        return self._spent_before + time.perf_counter() - self._began

    def left(self) -> float:
        """Seconds that are left to train; infinite where no minutes are given."""
        return self._limit - self.spent()

    def keep(self, at_once: bool = False) -> None:
        """Write the time to the journal now and then, so that the time of a killed call counts too."""
        now = time.perf_counter()
        if at_once or now - self._kept > KEPT_SECONDS:
            self._kept = now
            self._session.folder.journal.append({"event": "time", "spent_s": round(self.spent(), 1)})

    def check(self, reserved: float = 0.0) -> None:
        """Raise TimeUpError where the time, less the seconds that are reserved, is used up."""
        left = self.left()
        if left <= reserved:
            needed = f"{durations.in_words(left)} left, and retraining takes about {durations.in_words(reserved)}"
            raise TimeUpError(
                f"max_minutes={self._session.config.max_minutes:g}: {needed if left > 0.0 else 'used up'}; the same "
                "command with more minutes resumes unfinished trials from their last checkpoints",
                saving_seconds=self.saving_seconds(),
            )

    def saving_seconds(self) -> float:
        """Seconds that are left to save what is under way, so that the report is still drawn within the minutes."""
        return max(0.0, self.left() + 0.5 * self._closing)

    def allows_another(self, num_under_way: int = 0) -> bool:
        """Whether a trial of full length, and what comes after the search, would end within both limits.

        So would the trials under way.
        """
        has_time = MARGIN * self.expected_seconds() < self.left()
        return has_time and not self.is_petaflop_used_up(num_under_way)

    def is_petaflop_used_up(self, num_under_way: int = 0) -> bool:
        """Whether the arithmetic that is left is less than another trial takes, beside what is under way."""
        limit = self._session.config.max_petaflop
        if not limit:
            return False
        left = limit - self._session.folder.spent_petaflop()
        a_trial, after = self._expected(_petaflop_as_costly, "train_petaflop")
        return left <= 0.0 or left < (num_under_way + 1) * a_trial + after

    def expected_seconds(self) -> float:
        """Of a trial of `max_epochs`, and of retraining the best one; 0 before the first trial has completed."""
        a_trial, self.reserved = self._expected(_seconds_as_slow, "train_seconds")
        return a_trial + self.reserved

    def _expected(self, cost: "Cost", of_trunk: str) -> tuple[float, float]:
        """The cost of a trial of `max_epochs`, and of retraining the best one; `of_trunk` names it in a trunk's report.

        The trial may be as costly as any so far. The best one may be as costly as any of the better half.
        """
        completed = ranked(self._session.folder.records())
        if not completed:
            return 0.0, 0.0
        better = completed[: math.ceil(len(completed) / 2)]
        a_trial = cost(completed, self._session.config.max_epochs)
        return a_trial, self._retraining(better, cost, of_trunk) if self._num_retrained else 0.0

    def _retraining(self, better: Sequence[Mapping[str, Any]], cost: "Cost", of_trunk: str) -> float:
        config, jobs = self._session.config, self._session.jobs
        presets_epochs = jobs.trunk(0).train.epochs
        in_float32 = (FLOAT32_FACTOR if cost is _seconds_as_slow else 1.0) * self._has_controls
        if self._session.space.has_frozen_trunk:
            num_trained = 0 if config.init_from else 1  # the session's own trunk is that of one of the seeds
            trunk = RunFolder(config.init_from or self._session.folder.trunk_dir)
            a_trunk = trunk.report()[of_trunk] if trunk.is_finished else 0.0
            trunks = max(0, self._num_retrained - num_trained) * a_trunk
            heads = self._num_retrained * cost(better, config.max_epochs)
            # The epochs of the heads train the whole network here.
            longer = self._num_retrained * a_trunk * (1.0 + config.max_epochs / presets_epochs) * self._has_controls
            return trunks + (1.0 + in_float32) * heads + longer
        # The best trial, the untuned preset and the trial in float32.
        return (2.0 + in_float32) * self._num_retrained * cost(better, presets_epochs)


Cost: TypeAlias = Callable[[Sequence[Mapping[str, Any]], float], float]  # of records and of a number of epochs


def _seconds_as_slow(records: Sequence[Mapping[str, Any]], epochs: float) -> float:
    """Seconds of a trial of `epochs` epochs, if an epoch and the rest are as slow as the slowest among the records."""
    an_epoch = max(record["train_seconds"] / record["epochs"] for record in records)
    # A trial that was continued has trained in earlier calls too, whose seconds its record does not have.
    beside = max(max(0.0, record["seconds"] - record["train_seconds"]) for record in records)
    return beside + an_epoch * epochs


def _petaflop_as_costly(records: Sequence[Mapping[str, Any]], epochs: float) -> float:
    """Petaflop of a trial of `epochs` epochs, if an epoch takes as many as the costliest among the records."""
    return epochs * max(record.get("train_petaflop", 0.0) / record["epochs"] for record in records)
