"""The minutes of a tuner session, and whether another trial fits into them."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from models.runs.folder import RunFolder
from tuning.sessions.folder import ranked
from tuning.sessions.session import Session

KEPT_SECONDS = 30.0  # between two lines of the journal
MARGIN = 1.15  # of the seconds that a trial may take beyond what others took


class Budget:
    """The session's minutes, all calls together; after it the best trial is retrained with `num_retrained` seeds."""

    def __init__(self, session: Session, num_retrained: int) -> None:
        self._session, self._num_retrained = session, num_retrained
        self._spent_before, self._began = session.folder.spent_s(), time.perf_counter()
        self._kept = self._began

    def spent(self) -> float:
        """Seconds that the session has taken."""
        return self._spent_before + time.perf_counter() - self._began

    def keep(self, at_once: bool = False) -> None:
        """Write the time to the journal now and then, so that the time of a killed call counts too."""
        now = time.perf_counter()
        if at_once or now - self._kept > KEPT_SECONDS:
            self._kept = now
            self._session.folder.journal.append({"event": "time", "spent_s": round(self.spent(), 1)})

    def allows_another(self) -> bool:
        """Whether a trial of full length, and what comes after the search, would end in time."""
        limit = 60.0 * self._session.config.max_minutes
        return not limit or self.spent() + MARGIN * self.expected_seconds() <= limit

    def expected_seconds(self) -> float:
        """Of a trial of `max_epochs`, and of retraining the best one; 0 before the first trial has completed.

        The trial may be as slow as any so far. The best one may be as slow as any of the better half.
        """
        completed = ranked(self._session.folder.records())
        if not completed:
            return 0.0
        config, better = self._session.config, completed[: math.ceil(len(completed) / 2)]
        trial = _seconds_as_slow(completed, config.max_epochs)
        if self._session.space.has_frozen_trunk:
            num_trained = 0 if config.init_from else 1  # the session's own trunk is that of one of the seeds
            trunks = max(0, self._num_retrained - num_trained) * self._trunk_seconds()
            return trial + trunks + self._num_retrained * _seconds_as_slow(better, config.max_epochs)
        presets_epochs = self._session.jobs.trunk(0).train.epochs  # of the best trial and of the untuned preset
        return trial + 2 * self._num_retrained * _seconds_as_slow(better, presets_epochs)

    def _trunk_seconds(self) -> float:
        trunk = RunFolder(self._session.config.init_from or self._session.folder.trunk_dir)
        return trunk.report()["train_seconds"] if trunk.is_finished else 0.0


def _seconds_as_slow(records: Sequence[Mapping[str, Any]], epochs: float) -> float:
    """Of a trial of so many epochs, where both an epoch and what lies beside them are as slow as in any of these."""
    an_epoch = max(record["train_seconds"] / record["epochs"] for record in records)
    return max(record["seconds"] - record["train_seconds"] for record in records) + an_epoch * epochs
