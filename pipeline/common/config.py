"""Configurations are frozen dataclasses; one field is one flag, one default, one range.

    @dataclasses.dataclass(frozen=True)
    class BatchConfig(Config):
        batch_size: int = setting(512, "examples a step", low=1)

    define_flags(BatchConfig)                                  # once, in a binary: --batch_size
    config = build(BatchConfig, PRESET, load(path), given_flags())   # later layers win

Ranges are checked when a configuration is made, so a flag, a file and a caller meet the same check and the same words.
Nothing here imports TensorFlow: `--help` stays instant.
"""

import dataclasses
import difflib
import inspect
import json
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any, TypeVar

from absl import flags

from pipeline.common import errors, flag_help

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
Layer = Mapping[str, Any]


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    identity: bool = True,
) -> Any:
    """One field of a configuration: its default, what it means, and its range.

    Args:
      default: the value where nobody says otherwise.
      help: what the flag's `--help` line says, units included.
      choices: the values a text may take; none means any.
      low: the least allowed value of a number, itself included.
      high: the greatest allowed value of a number, itself included.
      identity: whether the value makes a run what it is; a folder of data may move, and the run stays the same run.
    """
    metadata = {"help": help, "choices": choices, "low": low, "high": high, "identity": identity}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """A configuration that checks its own values; every subclass is a frozen dataclass of `setting`s."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))

    def as_dict(self, *, identity_only: bool = False) -> dict[str, Any]:
        """Field name -> value, in the order of definition; with `identity_only` what makes a run what it is."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.metadata["identity"] or not identity_only
        }


AnyConfig = TypeVar("AnyConfig", bound=Config)


def define_flags(*config_classes: type[Config]) -> None:
    """Define one absl flag for each field of each class. Called by binaries alone, when they are imported."""
    flags.disclaim_key_flags()
    for config_class in config_classes:
        for field in dataclasses.fields(config_class):
            _define(field, _definer(config_class, field.name).__module__)
            flags.declare_key_flag(field.name)  # of the binary that calls this one


def given_flags() -> dict[str, Any]:
    """The flags that somebody set, by name; those left at their default are absent, so that a preset may speak."""
    return {name: flags.FLAGS[name].value for name in flags.FLAGS if not flags.FLAGS[name].using_default_value}


def build(config_class: type[AnyConfig], *layers: Layer) -> AnyConfig:
    """The configuration that the layers make together, the later ones winning; keys of other classes are passed over.

    Raises:
      errors.BadArgumentError: a value is out of range or of the wrong type.
    """
    names = {field.name for field in dataclasses.fields(config_class)}
    values = {name: value for layer in layers for name, value in layer.items() if name in names}
    return config_class(**values)


def load(path: str | os.PathLike[str], *config_classes: type[Config]) -> dict[str, Any]:
    """Read a configuration file that a run, a study or a tuner session wrote.

    Raises:
      errors.BadArgumentError: the file is missing, is no JSON object, or names a field that no class has.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.BadArgumentError(f"--config={path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise errors.BadArgumentError(f"--config={path}: expected a JSON file, but {error}") from error
    if not isinstance(values, dict):
        raise errors.BadArgumentError(f"--config={path}: expected a JSON object, got {type(values).__name__}")
    known = {field.name for config_class in config_classes for field in dataclasses.fields(config_class)}
    for name in values:
        if name not in known:
            raise errors.BadArgumentError(f"--config={path}: unknown field {name!r}{nearest(name, known)}")
    return values


def nearest(name: str, known: set[str]) -> str:
    """`; did you mean 'X'?` where something close is known, else nothing."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    limits, given = field.metadata, f"{field.name}={value!r}"
    if not _has_type(value, field.type):
        raise errors.BadArgumentError(f"{given}: expected {getattr(field.type, '__name__', field.type)}")
    if limits["choices"] and value not in limits["choices"]:
        hint = nearest(value, set(limits["choices"]))
        raise errors.BadArgumentError(f"{given}: expected one of {', '.join(limits['choices'])}{hint}")
    low, high = limits["low"], limits["high"]
    if isinstance(value, float) and not math.isfinite(value):
        raise errors.BadArgumentError(f"{given}: expected a finite number")
    if (low is not None and value < low) or (high is not None and value > high):
        raise errors.BadArgumentError(f"{given}: expected {_range_in_words(low, high)}")


def _range_in_words(low: float | None, high: float | None) -> str:
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"{low} to {high}"


def _has_type(value: Any, kind: Any) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


_DEFINERS = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def _definer(config_class: type[Config], name: str) -> type[Config]:
    """The class that a field comes from: this one, or one that it is made of."""
    return next(base for base in config_class.__mro__ if name in inspect.get_annotations(base))


def _define(field: dataclasses.Field[Any], module: str) -> None:
    limits = field.metadata
    allowed = f" {flag_help.one_of(limits['choices'])}" if limits["choices"] else ""
    if limits["low"] is not None:
        allowed = f" ({_range_in_words(limits['low'], limits['high'])})"
    definer = _DEFINERS[field.type]  # type: ignore[index]
    definer(field.name, field.default, limits["help"] + allowed, module_name=module)
