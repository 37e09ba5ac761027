"""What a session may optimize: accuracies on validation, which are maximized, and costs, which are minimized."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from models.reporting import figures
from pipeline.common import errors
from pipeline.common.config import nearest


@dataclasses.dataclass(frozen=True)
class Cost:
    """A cost of a trial."""

    axis: str  # its name and unit
    value: Callable[[Mapping[str, Any], int], float]  # of the outcome of `train_job.train`, and the batch size


def _step_ms(outcome: Mapping[str, Any], batch_size: int) -> float:
    """Milliseconds of a step in the last epoch, into which tracing falls where it is the first."""
    return 1000 * batch_size / outcome["rows"][-1]["examples_per_second"]


ACCURACIES = ("both", "fine", "coarse")
COSTS = {
    "petaflop": Cost("arithmetic of the training (petaflop)", lambda outcome, _: outcome["report"]["train_petaflop"]),
    "parameters": Cost("parameters of the network", lambda outcome, _: outcome["report"]["num_parameters"]),
    "step_ms": Cost("time of a training step (ms)", _step_ms),
}
NAMES = (*ACCURACIES, *COSTS)


def split(text: str) -> tuple[str, ...]:
    """The names in the value of `--objectives`, which separates them by commas."""
    return tuple(text.split(",")) if text else ()


def check(text: str) -> None:
    """Raise errors.BadArgumentError unless a value of `--objectives` has known names, each once, and an accuracy."""
    names = split(text)
    for name in names:
        if name not in NAMES:
            expected = f"expected some of {', '.join(NAMES)}{nearest(name, set(NAMES))}"
            raise errors.BadArgumentError(f"objectives={text!r}: {name!r} is unknown; {expected}")
        if names.count(name) > 1:
            raise errors.BadArgumentError(f"objectives={text}: {name} is there twice")
    if names and not set(names) & set(ACCURACIES):
        raise errors.BadArgumentError(f"objectives={text}: expected an accuracy among them, {', '.join(ACCURACIES)}")


def is_maximized(name: str) -> bool:
    """Whether more of an objective is better."""
    return name in ACCURACIES


def heading(name: str) -> str:
    """An objective's heading in tables."""
    return f"{name} (%)" if is_maximized(name) else name


def axis(name: str) -> str:
    """An objective's label in plots."""
    if not is_maximized(name):
        return COSTS[name].axis
    return f"{'mean of fine and coarse' if name == 'both' else name} accuracy on validation (%)"


def shown(name: str, value: float) -> float:
    """A value in the unit of `axis`."""
    return 100 * value if is_maximized(name) else value


def text(name: str, value: float) -> str:
    """A value in the unit of `heading`."""
    return figures.percent(value) if is_maximized(name) else figures.brief(value)
