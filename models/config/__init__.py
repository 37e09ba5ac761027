"""Configurations of a training run: `from_preset("tiny", epochs=2.0)`."""

from typing import Any

from models.config import presets
from models.config.training import TrainConfig
from pipeline.common.config import build, check_known, check_read, settings
from pipeline.data_config import DataConfig

__all__ = ["TrainConfig", "from_preset", "preset_changes"]


def from_preset(name: str, **fields: Any) -> tuple[DataConfig, TrainConfig]:
    """The configurations of a preset, with other values for some fields, named as the flags of `models.train`.

    Raises:
      errors.BadArgumentError: there is no such preset, or a field is unknown, not read, or out of range.
    """
    check_known(fields, settings(DataConfig, TrainConfig))
    layers = (presets.preset(name), fields, {"preset": name})
    data, train = build(DataConfig, *layers), build(TrainConfig, *layers)
    check_read(fields, data, train)
    return data, train


def preset_changes(data: DataConfig, train: TrainConfig) -> dict[str, Any]:
    """What configurations have otherwise than their preset, by name: the flags that make them of it."""
    values = presets.preset(train.preset)
    changes: dict[str, Any] = {}
    for config in (data, train):
        standard = {name: one.default for name, one in settings(type(config)).items()} | values
        standard |= build(type(config), values).as_dict()
        used = config.as_dict(identity_only=True)
        changes |= {name: value for name, value in used.items() if value != standard[name]}
    return {name: value for name, value in changes.items() if name != "preset"}
