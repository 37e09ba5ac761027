"""What a worker trains: one run of a study or of a tuner session."""

import dataclasses
import math
import sys
from typing import Any

from models.config import saved
from models.config.training import TrainConfig
from pipeline.data_config import DataConfig

MAX_SEEDS, MAX_PROCESSES = 1000, 1000  # that flags take: a larger number is a typing error, and fills the memory


@dataclasses.dataclass(frozen=True)
class TrainingJob:
    """One training."""

    label: str  # the variant or the trial that it trains; with the seed it names files
    data: DataConfig
    train: TrainConfig
    unread: tuple[str, ...] = ()  # fields that its study or space sets and that this configuration does not read
    verbose: int = 0  # as of `models.training.loop.train`
    # Of `time.monotonic()`, which all processes share; the training prints early that it will not end by then.
    deadline: float = math.inf

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.label}-seed-{self.train.seed}"

    def shown(self) -> "TrainingJob":
        """The job with the progress that `models.train` shows: a bar on a terminal, otherwise a line an epoch."""
        return dataclasses.replace(self, verbose=1 if sys.stdout.isatty() else 2)

    @property
    def config(self) -> dict[str, Any]:
        """The whole configuration, as runs save it."""
        return saved.document(self.data, self.train)

    @property
    def identity(self) -> dict[str, Any]:
        """The part of the configuration that determines the result."""
        return {**self.data.as_dict(identity_only=True), **self.train.as_dict(identity_only=True)}
