"""The trunk's weights of another, finished run as the first weights of this one."""

from typing import Any

import keras

from models import trunk
from models.config import saved
from models.config.network import TRUNK_FIELDS
from models.config.training import TrainConfig
from models.runs.folder import RunFolder
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.data_config import SPLIT_FIELDS


def check(opened: OpenedData, config: TrainConfig) -> None:
    """Check that the run in `config.init_from`, if one is named, has ended, and has this network's trunk.

    A run on the same records must have held out the same images, which its trunk has otherwise seen.

    Raises:
      errors.BadArgumentError: it has another trunk or split, or an unknown one, or the folder holds no run.
      errors.FailedError: it has not ended.
    """
    if config.init_from:
        _matching_run(opened, config)


def load_trunk_weights(model: keras.Model, opened: OpenedData, config: TrainConfig) -> str:
    """Set the weights of a classifier's trunk to those of the run in `config.init_from`.

    Where each head has a last block of its own and the run had one for both, each begins as a copy of it.

    Returns:
      The fingerprint of the records that the run was trained on.

    Raises:
      errors.BadArgumentError: the folder holds no run, or one that `check` refuses.
      errors.FailedError: the run has not ended, or its model cannot be read.
    """
    run = _matching_run(opened, config)
    records: str = run.report()["fingerprints"]["records"]
    source = run.load_model()
    if not _duplicates_last_block(saved.normalised(run.config()), config):
        trunk.feature_extractor(model).set_weights(trunk.feature_extractor(source).get_weights())
        return records
    trunk.before_last_block(model).set_weights(trunk.before_last_block(source).get_weights())
    (last_block,) = trunk.last_blocks(source)
    for block in trunk.last_blocks(model):
        block.set_weights(last_block.get_weights())
    return records


def _matching_run(opened: OpenedData, config: TrainConfig) -> RunFolder:
    run = RunFolder(config.init_from, "init_from").check_finished()
    fingerprints = run.report().get("fingerprints")
    if fingerprints is None:
        raise errors.BadArgumentError(
            f"init_from={config.init_from}: an earlier version trained it, on images that are held out for validation "
            "now; expected a run of this version"
        )
    records = opened.fingerprints.records
    if fingerprints["records"] != records == run.report().get("trunk_records"):
        raise errors.BadArgumentError(
            f"init_from={config.init_from}: its own trunk was trained on these records, perhaps on images that are "
            "held out; expected a run whose trunk was not"
        )
    source = saved.normalised(run.config())
    names = [*TRUNK_FIELDS]
    if fingerprints["records"] == records:
        names += SPLIT_FIELDS
    if _duplicates_last_block(source, config):
        names.remove("separate_blocks")
    elif config.get("separate_blocks", False):
        names.append("heads")
    expected = {**opened.config.as_dict(), **config.as_dict()}
    for name in names:
        there, here = source.get(name), expected.get(name)
        if (there or False) != (here or False):  # not read is as good as off
            raise errors.BadArgumentError(
                f"init_from={config.init_from}: {name}={there!r} there, {here!r} here; "
                "expected a run of this network on this split"
            )
    return run


def _duplicates_last_block(source: dict[str, Any], config: TrainConfig) -> bool:
    """Whether heads that share a last block in the configuration `source` get one each, trainable."""
    is_separate = config.get("unfreeze_last_block", False) and config.get("separate_blocks", False)
    return is_separate and not source.get("separate_blocks", False)
