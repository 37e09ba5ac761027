"""The weights of another, finished run as the first weights of this one: its trunk's, and heads of the same classes."""

import keras

from models import trunk
from models.config import saved
from models.config.training import TrainConfig
from models.runs import trunk_run
from pipeline.batches import OpenedData


def load_weights(model: keras.Model, opened: OpenedData, config: TrainConfig) -> list[str]:
    """Set weights of a classifier to those of the run in `config.init_from`.

    They are those of the trunk and, where the run was trained on other records, those of each head of the same shape
    and with the same class names in the same order. On the same records heads begin anew: a search of heads would
    otherwise start from the answer. Where each head has a last block of its own and the run had one for both, each
    begins as a copy of it; a head without another takes the last block that was its own there.

    Returns:
      The fingerprints of the records that the run was trained on, and before it its own trunk, the latest first.

    Raises:
      errors.BadArgumentError: the folder holds no run, or one that `trunk_run.check` refuses.
      errors.FailedError: the run has not ended, or its model cannot be read.
    """
    run = trunk_run.check(
        opened.config,
        config,
        records=opened.fingerprints.records,
        num_validation=opened.num_examples["validation"],
        input_size=opened.input_size,
    )
    records = [run.report()["fingerprints"]["records"], *trunk_run.earlier_records(run)]
    source = run.load_model()
    if records[0] != opened.fingerprints.records:
        there, here = run.description().classes.names, opened.description.classes.names
        for level in config.head_names:
            if there.get(level) == here[level]:
                _load_head(model, source, level)
    last_block_there = trunk_run.last_block_there(saved.normalised(run.config()), config)
    if last_block_there is None:
        trunk.feature_extractor(model).set_weights(trunk.feature_extractor(source).get_weights())
        return records
    trunk.before_last_block(model).set_weights(trunk.before_last_block(source).get_weights())
    weights = trunk.last_blocks(source)[last_block_there].get_weights()
    for block in trunk.last_blocks(model):
        block.set_weights(weights)
    return records


def _load_head(model: keras.Model, source: keras.Model, level: str) -> None:
    """Set the weights of the head of a level to those of `source`, if it has such a head of the same shape."""
    layers, layers_there = (
        {layer.name: layer for layer in one.layers if layer.name.startswith(f"{level}_") and layer.weights}
        for one in (model, source)
    )
    if {name: layer.kernel.shape for name, layer in layers.items()} == {
        name: layer.kernel.shape for name, layer in layers_there.items()
    }:
        for name, layer in layers.items():
            layer.set_weights(layers_there[name].get_weights())
