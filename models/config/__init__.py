"""Configurations of a training run: `from_preset("tiny", epochs=2.0)`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from models.config import presets, saved
from models.config.fitted import fitted
from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.common.config import build, check_known, check_read, settings
from pipeline.data_config import DataConfig, SourceConfig
from pipeline.datasets.description import Description

__all__ = ["TrainConfig", "compare_with_preset", "from_preset", "preset_changes", "resolve"]


def from_preset(name: str, **fields: Any) -> tuple[DataConfig, TrainConfig]:
    """The configurations of a preset, with other values for some fields, named as the flags of `models.train`.

    Raises:
      errors.BadArgumentError: there is no such preset, or a field is unknown, not read, or out of range.
    """
    check_known(fields, settings(DataConfig, TrainConfig))
    return resolve({**fields, "preset": name})


def resolve(fields: Mapping[str, Any], file: Mapping[str, Any] | None = None) -> tuple[DataConfig, TrainConfig]:
    """The configurations of preset < `file` (as `saved.load` read it) < `fields` (such as flags; other names pass).

    The preset `finetune` has the network of the run in `init_from`. Values of the preset, or of a file that a run
    saved, are dropped where nothing reads them.

    Raises:
      errors.BadArgumentError: there is no such preset, the file is of another one, a value is not read or out of
        range, or `finetune` has no run to start from.
      errors.FailedError: the configuration of that run cannot be read.
    """
    file = file or {}
    preset = fields.get("preset", file.get("preset", TrainConfig().preset))
    if file.get("preset", preset) != preset:
        raise errors.BadArgumentError(f"preset={preset}: the --config file has preset {file['preset']}; set one")
    values, init_from = presets.preset(preset), fields.get("init_from", file.get("init_from"))
    if preset == presets.FINETUNE and init_from and not saved.is_saved(file):
        values = {**values, **saved.network(init_from)}
    layers = (values, file, fields, {"preset": preset})
    data, train = build(DataConfig, *layers), build(TrainConfig, *layers)
    check_read(fields if saved.is_saved(file) else {**file, **fields}, data, train)
    return data, train


@dataclasses.dataclass(frozen=True)
class Change:
    """A field's value, and the one of its preset."""

    value: Any
    standard: Any


def preset_changes(data: DataConfig, train: TrainConfig, description: Description | None = None) -> dict[str, Any]:
    """The values of `compare_with_preset`, by name: the flags that make the configurations of their preset."""
    return {name: change.value for name, change in compare_with_preset(data, train, description).items()}


def compare_with_preset(
    data: DataConfig, train: TrainConfig, description: Description | None = None
) -> dict[str, Change]:
    """What configurations have otherwise than their preset, by name.

    What follows from the data set is no change; `description` is of it, where it is known.
    """
    values = {**presets.preset(train.preset), "preset": train.preset}
    if train.preset == presets.FINETUNE:
        values |= saved.of_network(train)
    held_out = {"num_validation": data.num_validation}  # others may not fit the data set
    standards = (
        build(DataConfig, values, data.source_values(), held_out),
        build(TrainConfig, values, {"init_from": train.init_from}),
    )
    if description is not None:
        standards = fitted(*standards, description)
    num_validation = DataConfig(dataset=data.dataset).num_validation
    usual = {**SourceConfig().as_dict(), "num_validation": num_validation, "init_from": ""}
    changes: dict[str, Change] = {}
    for config, of_preset in zip((data, train), standards, strict=True):
        standard = {name: one.default for name, one in settings(type(config)).items()} | values
        standard |= of_preset.as_dict() | usual
        used = config.as_dict(identity_only=True)
        changed = {name: value for name, value in used.items() if value != standard[name]}
        changes |= {name: Change(value, standard[name]) for name, value in changed.items()}
    return {name: change for name, change in changes.items() if name != "preset"}
