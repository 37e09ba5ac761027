"""Progressive resolution: small images early in a run, full ones at its end.

((20, 0.15), (24, 0.35), (32, 0.5)), as a flag `20:0.15,24:0.35,32:0.5`, is 20 x 20 pixels for the first 15 % of the
steps, 24 x 24 for the next 35 %, then 32 x 32. A convolution costs 0.4 of a full one at 20 pixels and 0.5 at 24,
and early steps hardly teach less there (Howard, fast.ai's DAWNBench entry, 2018; the fast recipes for CIFAR since).
Nothing here imports TensorFlow; the resizing itself is `augment/resize.py`.
"""

import dataclasses
import fractions
from collections.abc import Iterator, Sequence

from pipeline.common import errors
from pipeline.common.setting import as_text

SMALLEST = 8
LARGEST_DENOMINATOR = 1_000_000  # of a share, which is written as a decimal: 0.15 is 3/20


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of a run at one resolution: `size` pixels each way, from the share `begin` of the steps to `end`."""

    size: int
    begin: fractions.Fraction
    end: fractions.Fraction


@dataclasses.dataclass(frozen=True)
class ResolutionSchedule:
    """Which resolution each step of a run has."""

    phases: tuple[Phase, ...]

    @classmethod
    def from_shares(cls, resolutions: Sequence[tuple[int, float]], full_size: int | None) -> "ResolutionSchedule":
        """The schedule of (size, share of the steps) pairs; none is `full_size` throughout.

        `full_size` is the size of the data set's images; None where it is not known yet.

        Raises:
          errors.BadArgumentError: a size is out of range, or the shares do not make 1.
        """
        if not resolutions:
            return cls((Phase(full_size or SMALLEST, fractions.Fraction(0), fractions.Fraction(1)),))
        return cls(tuple(_phases(resolutions, full_size or resolutions[-1][0])))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The resolutions of the run, in order."""
        return tuple(phase.size for phase in self.phases)

    def size_at(self, step: int, total_steps: int) -> int:
        """Pixels each way of step `step`; the first is 0."""
        return next(phase.size for phase in self.phases if step < _steps(phase.end, total_steps))

    def steps_by_size(self, num_steps: int, total_steps: int) -> dict[int, int]:
        """How many of a run's first `num_steps` steps have each resolution."""
        steps = dict.fromkeys(self.sizes, 0)
        for phase in self.phases:
            begin, end = _steps(phase.begin, total_steps), _steps(phase.end, total_steps)
            steps[phase.size] += max(0, min(end, num_steps) - begin)
        return steps


def _steps(share: fractions.Fraction, total_steps: int) -> int:
    return round(share * total_steps)


def _phases(resolutions: Sequence[tuple[int, float]], full_size: int) -> Iterator[Phase]:
    given = f"resolutions={as_text(resolutions)}"
    form = "expected SIZE:SHARE,... with shares that make 1, such as 20:0.15,24:0.35,32:0.5"
    begin = fractions.Fraction(0)
    for size, share in resolutions:
        if not SMALLEST <= size <= full_size:
            raise errors.BadArgumentError(f"{given}: size {size}, expected {SMALLEST} to {full_size}")
        if share <= 0:
            raise errors.BadArgumentError(f"{given}: share {share:g}, expected more than 0")
        end = begin + fractions.Fraction(share).limit_denominator(LARGEST_DENOMINATOR)
        yield Phase(size, begin, end)
        begin = end
    if begin != 1:
        raise errors.BadArgumentError(f"{given}: the shares make {float(begin):g}; {form}")
    if size != full_size:
        raise errors.BadArgumentError(
            f"{given}: ends at size {size}, expected {full_size}, at which the network is evaluated; {form}"
        )
