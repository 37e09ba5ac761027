"""Configurations: frozen dataclasses whose fields become flags, and compositions of them.

    @dataclasses.dataclass(frozen=True)
    class Sgd(Config):
        momentum: float = setting(0.9, "momentum coefficient", low=0.0, high=0.999)

    @dataclasses.dataclass(frozen=True, init=False)
    class TrainConfig(Composition):
        optimizer: str = setting("sgd", "update rule", parts={"sgd": (Part(Sgd),), "adam": ()})

    flags = app.Flags(TrainConfig)                             # in a binary: --optimizer, --momentum
    config = build(TrainConfig, PRESET, file, given_flags())     # later layers win
    check_read(given_flags(), config)                            # --momentum with --optimizer=adam is an error

One field is one flag, one default and one range. A composition holds its own fields and those of the parts that its
choices add. Flags, the readers that a flag's help names and the check for values that nothing reads follow from the
classes. Nothing here imports TensorFlow: `--help` stays instant.
"""

import dataclasses
import functools
import pathlib
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from absl import flags

from pipeline.common import errors, flag_help, paths
from pipeline.common.setting import Part, Setting, as_text, nearest, own_settings, setting

__all__ = ["Composition", "Config", "Part", "as_text", "build", "nearest", "own_settings", "setting", "settings"]

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
Layer = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Config:
    """A configuration that checks its values; every subclass is a frozen dataclass of `setting`s."""

    def __post_init__(self) -> None:
        for name, own in own_settings(type(self)).items():
            object.__setattr__(self, name, own.checked(getattr(self, name)))

    def as_dict(self, *, identity_only: bool = False) -> dict[str, Any]:
        """Name -> value of each field that is read; with `identity_only` of those that make a run what it is."""
        known, values = settings(type(self)), self._read()
        return {name: values[name] for name in values if known[name].metadata["identity"] or not identity_only}

    def _read(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in own_settings(type(self))}


AnyConfig = TypeVar("AnyConfig", bound=Config)


@dataclasses.dataclass(frozen=True, init=False)
class Composition(Config):
    """A configuration of its own fields and those of the parts that its choices add; both are attributes.

    The constructor takes all of them as keywords; one that is unknown, not read, or out of range raises
    errors.BadArgumentError. Values in `part_values` that nothing reads are dropped. `dataclasses.replace` works: parts
    that stay keep their values.
    """

    part_values: tuple[tuple[str, Any], ...] = ()

    def __init__(self, *, part_values: tuple[tuple[str, Any], ...] = (), **values: Any) -> None:
        own, known, put = own_settings(type(self)), settings(type(self)), functools.partial(object.__setattr__, self)
        check_known(values, known)
        merged = {name: one.default for name, one in known.items()} | dict(part_values) | values
        for name in own:
            put(name, own[name].checked(merged[name]))
        added = {prefix + name for kind, prefix, _ in self._parts() for name in own_settings(kind)} - own.keys()
        put("part_values", tuple((name, known[name].checked(merged[name])) for name in known if name in added))
        put("part_values", tuple((name, value) for name, value in self.part_values if self._has_needed(name)))
        for name in own:
            put(name, getattr(self, name) if self._has_needed(name) else own[name].default)
        given = {name: value for name, value in values.items() if name not in own or value != own[name].default}
        check_read(given, self)
        self.__post_init__()

    def __post_init__(self) -> None:
        for part in self._parts():
            self.part(part.kind, part.prefix)  # which checks its values together

    def __getattr__(self, name: str) -> Any:
        for known, value in self.part_values if not name.startswith("_") else ():
            if known == name:
                return value
        raise AttributeError(f"{type(self).__name__} has no field {name!r}")

    def get(self, name: str, default: Any) -> Any:
        """The value of a field, or `default` where it is not read."""
        return self._read().get(name, default)

    def part(self, kind: type[AnyConfig], prefix: str = "") -> AnyConfig:
        """The part of a class, made of this configuration's values."""
        values = self._read()
        return kind(**{name: values[prefix + name] for name in own_settings(kind) if prefix + name in values})

    def replace(self: AnyConfig, **values: Any) -> AnyConfig:
        """The configuration with other values; those of parts that a changed choice removes are dropped."""
        return dataclasses.replace(self, **values)

    def _parts(self) -> list[Part]:
        """The parts that the values of the choices add."""
        choices = [(one.metadata["parts"], getattr(self, name)) for name, one in own_settings(type(self)).items()]
        return [part for parts, value in choices if parts for part in parts[value]]

    def _has_needed(self, name: str) -> bool:
        """Whether what a field needs is there, and what that needs in turn."""
        needed, _, value = settings(type(self))[name].needs.partition("=")
        if not needed:
            return True
        actual = getattr(self, needed, None)
        return (actual == value if value else bool(actual)) and self._has_needed(needed)

    def _read(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in own_settings(type(self)) if self._has_needed(name)}
        return {**own, **dict(self.part_values)}


def settings(*config_classes: type[Config]) -> dict[str, Setting]:
    """Every field of the classes and of the parts that their choices may add, by full name, as `--help` lists them."""
    return {name: one for config_class in config_classes for name, one in _settings_of(config_class).items()}


def _settings(config_class: type[Config]) -> dict[str, Setting]:
    result: dict[str, Setting] = {}
    for own in own_settings(config_class).values():
        result[own.name] = own  # also where a part that reads it came before
        for value, parts in own.metadata["parts"].items():
            for part in parts:
                for one in own_settings(part.kind).values():
                    _add(result, one, own, value, part)
    return result


_settings_of = typing.cast("Callable[[type[Config]], dict[str, Setting]]", functools.cache(_settings))


def _add(result: dict[str, Setting], one: Setting, choice: Setting, value: str, part: Part) -> None:
    """Add a field of a part that a value of a choice adds; where it is there already, the value is one more reader."""
    name = part.prefix + one.name
    before = result.get(name)
    if before and (before.metadata is not one.metadata or before.choice not in ("", choice.name)):
        raise ValueError(f"{name} has two definitions; a field that several classes share comes from one base class")
    if before and not before.choice:
        return
    result[name] = one._replace(
        name=name,
        default=part.defaults.get(one.name, one.default),
        module=choice.module,
        help=one.help.replace("{part}", part.prefix.rstrip("_")),
        needs=part.prefix + one.needs if one.needs in own_settings(part.kind) else one.needs,
        choice=choice.name,
        readers={**(before.readers if before else dict.fromkeys(choice.metadata["choices"], False)), value: True},
    )


def define_flags(values: flags.FlagValues, *config_classes: type[Config]) -> None:
    """Define one absl flag in `values` for each field of each class."""
    for one in settings(*config_classes).values():
        limits = one.metadata
        notes = [flag_help.one_of(limits["choices"])] if limits["choices"] else []
        notes += [one.range_in_words] if limits["low"] is not None else []
        notes += [f"only with {one.where_read}"] if one.where_read else []
        help = f"{one.help} ({'; '.join(notes)})" if notes else one.help
        _definer(one)(one.name, one.default, help, flag_values=values, module_name=one.module)


def given_flags() -> dict[str, Any]:
    """The flags set on the command line, by name; those left at their default are absent: a preset may set them.

    An empty path counts as unset where the flag has a path by default; for others it is their default, none.
    """
    given = {name: flags.FLAGS[name] for name in flags.FLAGS if not flags.FLAGS[name].using_default_value}
    return {
        name: flag.value
        for name, flag in given.items()
        if flag.value or not (flag.default and isinstance(flag.parser, paths.PathParser))
    }


def build(config_class: type[AnyConfig], *layers: Layer) -> AnyConfig:
    """The configuration that the layers make together, later ones winning.

    Keys of other classes are ignored, and so are values that no chosen part reads (see `check_read`).

    Raises:
      errors.BadArgumentError: a value is out of range or of the wrong type.
    """
    known = settings(config_class)
    values = {name: value for layer in layers for name, value in layer.items() if name in known}
    if issubclass(config_class, Composition):
        return config_class(part_values=tuple(values.items()))
    return config_class(**values)


def check_known(values: Layer, known: Mapping[str, Any], where: str = "") -> None:
    """Raise errors.BadArgumentError for a name that is no field; the message begins with `where`."""
    for name in values:
        if name not in known:
            raise errors.BadArgumentError(f"{where or name}: unknown field {name!r}{nearest(str(name), set(known))}")


def check_read(values: Layer, *configs: Config, problem: str = "") -> None:
    """Raise errors.BadArgumentError for a value that none of the configurations reads, with its chosen parts.

    Fields of other classes are ignored; `problem` says what is wrong where no other choice would read the value.
    """
    for name in unread(values, *configs):
        config, one = next((config, known[name]) for config in configs if name in (known := settings(type(config))))
        choice = getattr(config, one.choice) if one.choice else ""
        missing = f"nothing reads it without --{one.needs}"
        reason = problem or (missing if one.readers.get(choice, True) else f"--{one.choice}={choice} does not read it")
        remedy = "leave it out" if problem else f"leave it out, or choose {one.where_read}"
        raise errors.BadArgumentError(f"{name}={as_text(values[name])}: {reason}; {remedy}")


def unread(values: Layer, *configs: Config) -> list[str]:
    """The names of values that none of the configurations reads, of fields that they might have."""
    known = {name for config in configs for name in settings(type(config))}
    read = {name for config in configs for name in config.as_dict()}
    return [name for name in values if name in known - read]


_DEFINERS = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}


class _TupleParser(flags.ArgumentParser):
    """Reads a flag whose value is a tuple."""

    def __init__(self, one: Setting) -> None:
        self.syntactic_help = f"numbers such as {one.example}"
        self._setting = one

    def parse(self, argument: Any) -> Any:
        """The tuple that a flag's text stands for."""
        try:
            return self._setting.as_tuple(argument)
        except errors.BadArgumentError as error:
            raise ValueError(f"expected {self.syntactic_help}") from error  # absl puts the flag in front


class _TupleSerializer(flags.ArgumentSerializer):
    def serialize(self, value: Any) -> str:
        return as_text(value)


def _definer(one: Setting) -> Callable[..., Any]:
    if one.metadata["is_path"]:
        return functools.partial(flags.DEFINE, paths.PathParser())
    if typing.get_origin(one.kind) is tuple:
        return functools.partial(flags.DEFINE, _TupleParser(one), serializer=_TupleSerializer())
    return _DEFINERS[one.kind]
