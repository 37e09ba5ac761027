"""The minutes of a tuner session, and whether another trial fits into them."""

import pathlib
import time

from models.run_folder import RunFolder
from tuning.session import Session, ranked

KEPT_SECONDS = 30.0  # between two notes of the time
MARGIN = 1.15  # of the seconds that a trial may take beyond what others took


class Budget:
    """The session's minutes, all calls together.

    Args:
      found: the session.
      num_retrained: seeds that its best trial is to be trained with afterwards.
    """

    def __init__(self, found: Session, num_retrained: int) -> None:
        self._session, self._num_retrained = found, num_retrained
        self._spent_before, self._began = found.spent_s(), time.perf_counter()
        self._kept = self._began

    def spent(self) -> float:
        """Seconds that the session has taken."""
        return self._spent_before + time.perf_counter() - self._began

    def keep(self, at_once: bool = False) -> None:
        """Let the journal know of the time, if a while has passed; a call that is cut off must count too."""
        now = time.perf_counter()
        if at_once or now - self._kept > KEPT_SECONDS:
            self._kept = now
            self._session.journal.append({"event": "time", "spent_s": round(self.spent(), 1)})

    def allows_another(self) -> bool:
        """Whether a trial of full length, and what comes after the search, would end in time."""
        limit = 60.0 * self._session.config.max_minutes
        return not limit or self.spent() + MARGIN * self.expected_seconds() <= limit

    def expected_seconds(self) -> float:
        """Of a trial of `max_epochs`, and of training the best one again; what no trial has told yet counts nothing."""
        completed = ranked(self._session.records())
        if not completed:
            return 0.0
        an_epoch = max(record["seconds"] / record["epochs"] for record in completed)
        trial = an_epoch * self._session.config.max_epochs
        if self._session.space.has_frozen_trunk:
            again = self._trunk_seconds() + trial
        else:
            again = 2 * an_epoch * self._session.trunk_cell(0).train.epochs
        return trial + self._num_retrained * again

    def _trunk_seconds(self) -> float:
        """What the trunk took to train, the session's own or the one that was given."""
        trunk = RunFolder(pathlib.Path(self._session.config.trunk_run_dir or self._session.trunk_dir))
        return trunk.report()["train_seconds"] if trunk.is_finished else 0.0
