"""The part of a network before its heads: taken over from a run that has trained it, and, if wanted, kept as it is.

Features are then learned once, and heads for them are tried at the cost of a forward pass.
"""

from typing import Any

import keras

from models.config.network import TRUNK_FIELDS
from models.config.training import TrainConfig
from models.heads import BEFORE_LAST_BLOCK, NUM_CLASSES
from models.runs import folder as run_folder
from models.runs.folder import RunFolder
from pipeline.common import errors
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


def frozen_part(model: keras.Model, config: TrainConfig) -> keras.Model:
    """What stays as it is where a trunk is frozen: all of it, or what comes before its last block."""
    return _before_last_block(model) if config.thaw_last_block else of(model)


def freeze(model: keras.Model, config: TrainConfig) -> None:
    """Let the trunk of a classifier stay as it is, its moving statistics too; its last block may be left to learn."""
    for layer in frozen_part(model, config).layers:
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

    Where each head's last block is to learn on by itself, they all begin as the one that the run had.

    Raises:
      errors.BadArgumentError: as `check`.
      errors.FailedError: the run has not ended, or its model cannot be read.
    """
    run = _fitting_run(data, config)
    found = run.load_model()
    if not _multiplies_last_block(run_folder.with_defaults(run.config()), config):
        of(model).set_weights(of(found).get_weights())
        return
    _before_last_block(model).set_weights(_before_last_block(found).get_weights())
    (last_block,) = _last_blocks(found)
    for block in _last_blocks(model):
        block.set_weights(last_block.get_weights())


def _fitting_run(data: DataConfig, config: TrainConfig) -> RunFolder:
    run = run_folder.finished(config.trunk_run_dir, "trunk_run_dir")
    found = run_folder.with_defaults(run.config())
    given = {name: getattr(config, name) for name in TRUNK_FIELDS} | {
        name: getattr(data, name) for name in SPLIT_FIELDS
    }
    if _multiplies_last_block(found, config):
        del given["separate_blocks"]
    elif config.separate_blocks:
        given["heads"] = config.heads
    differences = _differences(found, given)
    if differences:
        raise errors.BadArgumentError(
            f"trunk_run_dir={config.trunk_run_dir}: {differences[0]}; expected a run of this network on this split"
        )
    return run


def _multiplies_last_block(found: dict[str, Any], config: TrainConfig) -> bool:
    """Whether heads that shared a last block in the run get each its own, to learn on with."""
    return config.thaw_last_block and config.separate_blocks and not found["separate_blocks"]


def _before_last_block(model: keras.Model) -> keras.Model:
    return keras.Model(model.input, _end_of_shared_blocks(model))


def _last_blocks(model: keras.Model) -> list[keras.Model]:
    """The last block of all heads, or each head's, as models that share its layers: maps -> features."""
    return [keras.Model(_end_of_shared_blocks(model), features) for features in of(model).outputs]


def _end_of_shared_blocks(model: keras.Model) -> keras.KerasTensor:
    try:
        return model.get_layer(BEFORE_LAST_BLOCK).output
    except ValueError as error:
        raise errors.FailedError(
            f"thaw_last_block=True: the network {model.name!r} of the trunk's run is of an earlier version, without a "
            "mark before its last block; train it anew with another --run_dir"
        ) from error


def _differences(found: dict[str, Any], given: dict[str, Any]) -> list[str]:
    return [f"{name}={found[name]!r} there, {value!r} here" for name, value in given.items() if found[name] != value]


def _is_of_head(name: str) -> bool:
    return name.startswith(tuple(f"{head}_" for head in NUM_CLASSES))
