"""The trunk's weights of another, finished run as the first weights of this one."""

import keras

from models import trunk
from models.config import saved
from models.config.training import TrainConfig
from models.runs import trunk_run
from pipeline.batches import OpenedData


def load_trunk_weights(model: keras.Model, opened: OpenedData, config: TrainConfig) -> str:
    """Set the weights of a classifier's trunk to those of the run in `config.init_from`.

    Where each head has a last block of its own and the run had one for both, each begins as a copy of it.

    Returns:
      The fingerprint of the records that the run was trained on.

    Raises:
      errors.BadArgumentError: the folder holds no run, or one that `trunk_run.check` refuses.
      errors.FailedError: the run has not ended, or its model cannot be read.
    """
    run = trunk_run.check(opened.config, config, opened.fingerprints.records)
    records: str = run.report()["fingerprints"]["records"]
    source = run.load_model()
    if not trunk_run.duplicates_last_block(saved.normalised(run.config()), config):
        trunk.feature_extractor(model).set_weights(trunk.feature_extractor(source).get_weights())
        return records
    trunk.before_last_block(model).set_weights(trunk.before_last_block(source).get_weights())
    (last_block,) = trunk.last_blocks(source)
    for block in trunk.last_blocks(model):
        block.set_weights(last_block.get_weights())
    return records
