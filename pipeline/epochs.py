"""The positions of epochs in the endless stream of training batches. Needs no TensorFlow."""

import dataclasses
import fractions
import math

from pipeline.common import errors
from pipeline.data_config import DataConfig

MAX_STEPS = 10**18  # a run never ends there; numbers of steps are int64


@dataclasses.dataclass(frozen=True)
class EpochSchedule:
    """Where the epochs of a run lie in the endless stream of training batches.

    An epoch is `views` images; where `batch_size` does not divide them, the batch at the border belongs to the epoch
    that it begins in. `epochs` may have a fraction: the last epoch is then a part of one.
    """

    views: int
    batch_size: int
    epochs: float
    max_steps: int = 0

    @classmethod
    def from_config(cls, config: DataConfig, num_train: int, epochs: float, max_steps: int = 0) -> "EpochSchedule":
        """The epochs of a run over `num_train` examples, or over the configuration's virtual ones.

        Raises:
          errors.BadArgumentError: there are fewer examples than a batch has, or more steps than MAX_STEPS.
        """
        config.check_batch_size(num_train)
        views = config.virtual_examples
        if 0 < views < config.batch_size:
            raise errors.BadArgumentError(
                f"virtual_examples={views}: expected at least one batch of {config.batch_size}"
            )
        schedule = cls(views or num_train, config.batch_size, epochs, max_steps)
        if schedule.total_steps > MAX_STEPS:
            raise errors.BadArgumentError(
                f"epochs={epochs:g} and max_steps={max_steps}: expected at most {MAX_STEPS:.0e} steps; set a lower one"
            )
        return schedule

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        steps = self.first_step(self.epochs)
        return min(steps, self.max_steps) if self.max_steps else steps

    @property
    def count(self) -> int:
        """Epochs begun, the partial last one included."""
        return (self.total_steps - 1) * self.batch_size // self.views + 1

    def first_step(self, epoch: float) -> int:
        """The step that epoch `epoch` begins with; the first epoch is 0."""
        # Exact: in floating point 1.1 x 50,000 / 100 is a little more than 550.
        return math.ceil(fractions.Fraction(str(epoch)) * self.views / self.batch_size)

    def last_step(self, epoch: int) -> int:
        """The step after the last one of epoch `epoch`."""
        return min(self.first_step(epoch + 1), self.total_steps)
