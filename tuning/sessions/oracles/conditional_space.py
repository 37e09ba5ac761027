"""The hyperparameters that a space's function asks for, where the values of some decide which others it asks for.

Keras Tuner looks at a space once, at its defaults, and would never search a hyperparameter inside an `if`. Here every
proposal comes from a call of the function: each hyperparameter gets its value at the moment when the function asks for
it. Any condition of Python's works, on numbers too, and a trial has the hyperparameters that its own values lead to.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters
from keras_tuner.engine.hyperparameters import HyperParameter

from pipeline.common import errors
from tuning.sessions.oracles import keras_tuner_version  # noqa: F401  # checks the version

Values = dict[str, Any]  # by a hyperparameter's name, in the order in which the function asks
MAX_COMBINATIONS, NUM_SAMPLES = 200, 200  # that are tried to find hyperparameters before the search
MAX_NAME = 100  # characters of a hyperparameter's name
LEAST, MOST = 1e-100, 2**63  # sizes of a hyperparameter's numbers other than 0: ratios and counts of them are finite
_OF_HYPERBAND = "tuner/"  # how the names of Keras Tuner's own entries begin


class ConditionalSpace:
    """The hyperparameters of a function: all that are collected before the search, and those of given values.

    Raises:
      errors.BadArgumentError: one name stands for different ranges, or a name, a number or a text cannot be used.
    """

    def __init__(self, function: Callable[[keras_tuner.HyperParameters], object]) -> None:
        self._function = function
        self._known: dict[str, HyperParameter] = {}
        self._problem: errors.BadArgumentError | None = None
        self.explored = list(self._explore())  # the values that were tried, the defaults first
        if self._problem is not None:
            raise self._problem

    @property
    def defaults(self) -> Values:
        """The values at which every hyperparameter is at its default."""
        return dict(self.explored[0])

    def hyperparameters(self, names: Mapping[str, Any] | None = None) -> keras_tuner.HyperParameters:
        """The known hyperparameters, or those of these names among them, without conditions and values."""
        chosen = keras_tuner.HyperParameters()
        chosen.merge([one for name, one in self._known.items() if names is None or name in names])
        chosen.values = {}
        return chosen

    def ask(self, value_of: Callable[[HyperParameter], Any]) -> Values:
        """The values of the hyperparameters that the function asks for where each gets `value_of` it."""
        asked = HyperParameters(value_of, self._find)
        with contextlib.suppress(Exception, SystemExit):  # of somebody's function: a trial of these values says why
            self._function(asked)
        return asked.values

    def complete(self, values: Mapping[str, Any]) -> Values:
        """The values with which the function is called for these: without those that it does not ask for then."""
        return self.ask(lambda one: values.get(one.name, one.default))

    def combinations(self, values: Values | None = None) -> Iterator[Values]:
        """The grid from these values, or from the defaults; what the function asks for last changes first.

        A hyperparameter without a step has ten values, as in Keras Tuner, and each has its default first.
        """
        following: Values | None = self.complete({}) if values is None else values
        while following is not None:
            yield following
            following = self.following(following)

    def following(self, values: Values) -> Values | None:
        """The combination after this one in the grid; None after the last."""
        names = list(values)
        for number in reversed(range(len(names))):
            one = self._known[names[number]]
            options = _options(one)
            has_value = values[one.name] in options  # the options before it are used up
            if has_value and (option := next(options, None)) is not None:
                unchanged = {name: values[name] for name in names[:number]}
                return self.complete({**unchanged, one.name: option})
        return None

    def _explore(self) -> Iterator[Values]:
        """Values that together lead to every hyperparameter that is not far too rare to be drawn."""
        seen = set()
        seeds = itertools.count(1)
        samples = (self.ask(lambda one: one.random_sample(next(seeds))) for _ in range(NUM_SAMPLES))
        for values in itertools.chain(itertools.islice(self.combinations(), MAX_COMBINATIONS), samples):
            key = repr(values)
            if key not in seen:
                seen.add(key)
                yield values

    def _find(self, one: HyperParameter) -> HyperParameter:
        """The known hyperparameter of a name; raises where it stands for another range, or cannot be used."""
        if problem := _problem_of(one):
            self._problem = errors.BadArgumentError(problem)
            raise self._problem
        kind = Float if isinstance(one, hyperparameters.Float) else type(one)
        unconditional = kind.from_config({**one.get_config(), "conditions": []})
        known = self._known.setdefault(one.name, unconditional)
        if (kind, unconditional.get_config()) != (type(known), known.get_config()):
            self._problem = errors.BadArgumentError(
                f"{one.name!r} has two ranges, {known} and {unconditional}; give each range its own name"
            )
            raise self._problem
        return known


def _options(one: HyperParameter) -> Iterator[Any]:
    """The default, then the other values; each once, as a choice may have one twice. A range may have billions."""
    seen = set()
    for value in itertools.chain([one.default], one.values):
        if value not in seen:
            seen.add(value)
            yield value


def _problem_of(one: HyperParameter) -> str:
    """Why a hyperparameter cannot be searched, saved and shown; "" where it can."""
    name = one.name
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_NAME:
        return f"hyperparameter {name!r}: expected a name of 1 to {MAX_NAME} printable characters"
    if name.startswith(_OF_HYPERBAND):
        return f"hyperparameter {name!r}: expected a name that does not begin with {_OF_HYPERBAND}"
    config = {key: value for key, value in one.get_config().items() if key not in ("name", "conditions")}
    values = [value for value in (*config.pop("values", ()), *config.values(), one.default) if value is not None]
    if any(isinstance(value, str) and not value.isprintable() for value in values):
        return f"hyperparameter {name!r}: expected texts of printable characters"
    if any(isinstance(value, int | float) and not (value == 0 or LEAST <= abs(value) < MOST) for value in values):
        return f"hyperparameter {name!r}: expected numbers that are 0 or have a size of {LEAST:g} to 2**63"
    if isinstance(one, hyperparameters.Int | hyperparameters.Float):
        kind = int if isinstance(one, hyperparameters.Int) else int | float
        if not isinstance(one.default, kind) or not one.min_value <= one.default <= one.max_value:
            return f"hyperparameter {name!r}: default={one.default!r}, expected {one.min_value} to {one.max_value}"
        if one.step is not None and not one.step > 0:
            return f"hyperparameter {name!r}: step={one.step}, expected above 0"
    return ""


class Float(hyperparameters.Float):
    """Keras Tuner's, with `max_value` among its steps: by rounding, Keras Tuner's 0 to 0.5 by 0.1 ends at 0.4."""

    def _get_n_values(self) -> int:
        if self.sampling != "linear":
            return super()._get_n_values()
        return int((self.max_value - self.min_value) / self.step + 1e-8) + 1

    def _to_prob_with_step(self, value: float) -> float:
        if self.sampling != "linear":
            return super()._to_prob_with_step(value)
        return (round((value - self.min_value) / self.step) + 0.5) / self._get_n_values()


class HyperParameters(keras_tuner.HyperParameters):
    """Keras Tuner's, where a hyperparameter that has no value gets `value_of` it when it is asked for first."""

    def __init__(
        self,
        value_of: Callable[[HyperParameter], Any],
        find: Callable[[HyperParameter], HyperParameter] = lambda one: one,
    ) -> None:
        super().__init__()
        self._value_of, self._find = value_of, find

    def Choice(self, name: str, values: Sequence[Any], *arguments: Any, **named: Any) -> Any:  # noqa: N802  # its name
        """As Keras Tuner's, which makes 1 and 0 of True and False."""
        value = super().Choice(name, values, *arguments, **named)
        return bool(value) if value is not None and isinstance(values[0], bool) else value

    def _retrieve(self, hp: HyperParameter) -> Any:
        known = self._find(hp)
        if hp.name not in self.values and self.is_active(hp):  # an inactive one is of another conditional scope
            self.values[hp.name] = self._value_of(known)
        return super()._retrieve(hp)

    def _exists(self, name: str, conditions: list[Any] | None = None) -> bool:
        """Whether a name was asked for with these conditions; without them, as the parent of a scope, with any."""
        return name in self._hps if conditions is None else super()._exists(name, conditions)
