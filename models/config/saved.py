"""Configurations in files: those that runs, studies and tuner sessions save, and those that people write.

A saved configuration holds the fields that its run read, and FORMAT. One of an earlier version has no FORMAT and holds
every field there was, those of all architectures among them.
"""

import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from models.config.network import TRUNK_FIELDS
from models.config.renamed import renamed
from models.config.training import TrainConfig
from pipeline.common import errors, files, json_values, paths
from pipeline.common.config import build, check_known, settings
from pipeline.data_config import DataConfig, default_data_dir

FORMAT, CURRENT = "config_format", 2
TRUNK_SHA256 = "init_from_sha256"  # of the model whose trunk the run began with, wherever that run lies now
MAX_BYTES = 2**20  # of a file for --config; that of a run has a few thousand
_OF_SEVERAL_ARCHITECTURES = {"widths", "depth", "blocks", "convolutions"}  # which no single run reads


def document(data: DataConfig, train: TrainConfig) -> dict[str, Any]:
    """The configuration that a run saves: all that it reads, but for the archive, which was for preparing the data.

    Paths are absolute: who reads the file may work in another folder.
    """
    values = {FORMAT: CURRENT, **data.as_dict(), **train.as_dict(), "archive": ""}
    given = {name: values[name] for name in ("data_dir", "init_from") if values.get(name)}
    return {**values, **{name: str(paths.local(path, name).absolute()) for name, path in given.items()}}


def configs(values: Mapping[str, Any]) -> tuple[DataConfig, TrainConfig]:
    """The configurations that a saved one stands for.

    A name that has changed since then is read as today's, a field that came since then has its default, and one that
    the run did not read is dropped.
    """
    values = renamed(values)
    return build(DataConfig, values), build(TrainConfig, values)


def normalised(values: Mapping[str, Any]) -> dict[str, Any]:
    """A saved configuration as this version would save it, without FORMAT."""
    data, train = configs(values)
    return {**data.as_dict(), **train.as_dict()}


def check(values: Any) -> None:
    """Check that this version reads a saved configuration as it was meant.

    Raises:
      errors.NewerVersionError: it is of a newer format, or has a field that this version does not have.
      ValueError: it is no configuration.
    """
    if not isinstance(values, dict):
        raise ValueError(f"expected an object, got {type(values).__name__}")
    number = values.get(FORMAT, CURRENT)
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError(f"{FORMAT}={number!r}: expected an integer")
    if number > CURRENT:
        raise errors.NewerVersionError(f"{FORMAT} {number}")
    if FORMAT in values:  # earlier versions wrote fields that are gone
        known = {*settings(DataConfig, TrainConfig), FORMAT, TRUNK_SHA256}
        for name in renamed(values):
            if name not in known:
                raise errors.NewerVersionError(f"its field {name!r} is unknown here")
    configs(values)


def check_of_run(values: Any) -> None:
    """As `check`, for the configuration that a run has saved, which always has fields."""
    check(values)
    if not values:
        raise ValueError("it has no field")


def read(folder: pathlib.Path, flag: str) -> dict[str, Any] | None:
    """The content of `config.json` in the folder of a run, which `flag` named; None where there is none.

    Raises:
      errors.FailedError: it is damaged, of a newer version, or cannot be read.
    """
    where, remedy = f"{flag}={folder}: config.json", f"restore it from a copy, or choose another --{flag}"
    return files.read_json(folder / "config.json", where, remedy, check=check_of_run)


def network(run_dir: paths.AnyPath) -> dict[str, Any]:
    """The fields of the network that the run in the folder `init_from` was trained with, and their values.

    Raises:
      errors.BadArgumentError: the folder holds no run.
      errors.FailedError: as of `read`.
    """
    folder = paths.local(run_dir, "init_from")
    values = read(folder, "init_from")
    if values is None:
        raise errors.BadArgumentError(f"init_from={folder}: expected a folder that models.train wrote")
    _, train = configs(values)
    return of_network(train)


def of_network(train: TrainConfig) -> dict[str, Any]:
    """The fields of a configuration, and their values, in which it must agree with the run whose weights it takes."""
    return {name: value for name, value in train.as_dict().items() if name in (*TRUNK_FIELDS, "logit_scale")}


def differences(values: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    """How a saved configuration differs from one given by `identity`, a text a field."""
    there = normalised(values)
    changed = [name for name, value in identity.items() if name in there and there[name] != value]
    return [f"{name}={there[name]!r} there, {identity[name]!r} given" for name in changed]


def is_saved(values: Mapping[str, Any]) -> bool:
    """Whether a run saved a configuration; else a person wrote it."""
    return FORMAT in values or values.keys() >= _OF_SEVERAL_ARCHITECTURES


def load(path: paths.AnyPath) -> dict[str, Any]:
    """Read the configuration of `--config`.

    Raises:
      errors.BadArgumentError: the file is missing, is no JSON object, names a field that does not exist, or has a
        value that its field does not take.
    """
    path = paths.local(path, "config")
    try:
        values = json_values.parse(_content(path))
    except OSError as error:
        raise errors.BadArgumentError(f"config={path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise errors.BadArgumentError(f"config={path}: expected a JSON file, but {error}") from error
    if isinstance(values, dict) and isinstance(values.get(FORMAT), int) and values[FORMAT] > CURRENT:
        raise errors.BadArgumentError(
            f"config={path}: written by a newer version ({FORMAT} {values[FORMAT]}); update streaming-cifar100"
        )
    if not isinstance(values, dict):
        raise errors.BadArgumentError(f"config={path}: expected a JSON object, got {type(values).__name__}")
    values = renamed(values)
    check_known(values, {**settings(DataConfig, TrainConfig), FORMAT: None, TRUNK_SHA256: None}, f"config={path}")
    for name, one in settings(DataConfig, TrainConfig).items():
        try:
            one.checked(values.get(name, one.default))
        except errors.BadArgumentError as error:
            raise errors.BadArgumentError(f"config={path}: {error}") from error
    if is_saved(values) and values.get("init_from") and (path.parent / values["init_from"]).exists():
        values["init_from"] = str(path.parent / values["init_from"])  # a session's own trunk, beside its best.json
    return values


def _content(path: pathlib.Path) -> bytes:
    """The content of a file of at most MAX_BYTES; ValueError where it has more."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    return content


def check_paths(values: Mapping[str, Any], path: paths.AnyPath, flags: Collection[str]) -> None:
    """Check that the paths in the configuration of `--config`, which may be of another machine, are on this one.

    Those that `flags`, names of set flags, override are not used. Data may be prepared in a new folder, but a run that
    saved a configuration had its data; the default folder is made again.

    Raises:
      errors.BadArgumentError: there is nothing at a path.
    """
    for name in ("data_dir", "init_from", "archive"):
        value = values.get(name)
        if not value or not isinstance(value, str) or name in flags or value == default_data_dir():
            continue
        place = paths.local(value, name)
        may_be_new = name == "data_dir" and not is_saved(values)
        if may_be_new:
            place = place.parent
        if not place.exists() and not (may_be_new and not place.is_absolute()):
            raise errors.BadArgumentError(
                f"{name}={value}: {place} is not on this machine; config={path} has it; set --{name}"
            )
