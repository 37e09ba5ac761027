"""The part of a network before its heads: taken over from a run that has trained it, and, if wanted, kept as it is.

Features are then learned once, and heads for them are tried at the cost of a forward pass.
"""

import pathlib
from typing import Any

import keras

from models.heads import NUM_CLASSES
from models.network_config import TRUNK_FIELDS
from models.run_folder import RunFolder
from models.train_config import TrainConfig
from pipeline import errors
from pipeline.data_config import SPLIT_FIELDS, DataConfig


def of(model: keras.Model) -> keras.Model:
    """The layers of a classifier before its heads, as a model that shares them: images -> the features of each head."""
    first_layers = [
        layer
        for name in NUM_CLASSES  # not as the model has them, which depends on how deep each head is
        for layer in model.layers
        if layer.name.startswith(f"{name}_") and not _is_of_head(layer.input._keras_history.operation.name)
    ]
    return keras.Model(model.input, list({id(layer.input): layer.input for layer in first_layers}.values()))


def freeze(model: keras.Model) -> None:
    """Let the trunk of a classifier stay as it is, its moving statistics too."""
    for layer in of(model).layers:
        layer.trainable = False


def check(data: DataConfig, config: TrainConfig) -> None:
    """Refuse a trunk that does not fit.

    Raises:
      errors.BadArgumentError: the folder holds no run, one of another network, or one of another split.
      errors.FailedError: the run has not ended.
    """
    if config.trunk_run_dir:
        _fitting_run(data, config)


def adopt(model: keras.Model, data: DataConfig, config: TrainConfig) -> None:
    """Give the trunk of a classifier the weights of the one in `config.trunk_run_dir`.

    Raises:
      errors.BadArgumentError: as `check`.
      errors.FailedError: the run has not ended, or its model cannot be read.
    """
    of(model).set_weights(of(_fitting_run(data, config).load_model()).get_weights())


def _fitting_run(data: DataConfig, config: TrainConfig) -> RunFolder:
    run = RunFolder(pathlib.Path(config.trunk_run_dir))
    try:
        run.refuse_unfinished()
    except (errors.BadArgumentError, errors.FailedError) as error:
        raise type(error)(f"trunk_{error}") from error  # it begins with the name of the flag, run_dir=
    found = run.config()
    given = {name: getattr(config, name) for name in TRUNK_FIELDS} | {
        name: getattr(data, name) for name in SPLIT_FIELDS
    }
    if config.separate_blocks:
        given["heads"] = config.heads
    differences = _differences(found, given)
    if differences:
        raise errors.BadArgumentError(
            f"trunk_run_dir={config.trunk_run_dir}: {differences[0]}; expected a run of this network on this split"
        )
    return run


def _differences(found: dict[str, Any], given: dict[str, Any]) -> list[str]:
    return [
        f"{name}={found.get(name)!r} there, {value!r} here" for name, value in given.items() if found.get(name) != value
    ]


def _is_of_head(name: str) -> bool:
    return name.startswith(tuple(f"{head}_" for head in NUM_CLASSES))
