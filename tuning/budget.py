"""The minutes of a tuner session, and whether another trial fits into them."""

import time

from models.run_folder import RunFolder
from tuning.session import Session, ranked

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

    def spent(self) -> float:
        """Seconds that the session has taken."""
        return self._spent_before + time.perf_counter() - self._began

    def allows_another(self) -> bool:
        """Whether a trial of average length, and what comes after the search, would end in time."""
        limit = 60.0 * self._session.config.max_minutes
        return not limit or self.spent() + MARGIN * self._expected_seconds() <= limit

    def _expected_seconds(self) -> float:
        """Of another trial and of training the best one again; 0 where no trial has told yet."""
        completed = ranked(self._session.records())
        if not completed:
            return 0.0
        seconds = sum(record["seconds"] for record in completed)
        if self._session.space.has_frozen_trunk:
            untuned = RunFolder(self._session.trunk_dir)
            untuned_seconds = untuned.report()["train_seconds"] if untuned.is_finished else 0.0
            retrained = untuned_seconds + max(record["seconds"] for record in completed)
        else:
            epochs = self._session.trunk_cell(0).train.epochs
            retrained = 2 * epochs * seconds / sum(record["epochs"] for record in completed)
        return seconds / len(completed) + self._num_retrained * retrained
