"""Whole training steps, input included, as a side to measure: what several benchmarks share."""

import dataclasses
from typing import TYPE_CHECKING

from benchmarks import timing
from models.train_config import TrainConfig
from pipeline.data_config import DataConfig

if TYPE_CHECKING:
    import keras


def side(
    name: str, data: DataConfig, train: TrainConfig, num_steps: int, model: "keras.Model | None" = None
) -> timing.Side:
    """Training steps of a configuration, or of another model in the place of its own; each side reads its own stream.

    At full resolution: of a progressive schedule these are its last and dearest steps.

    Args:
      name: of the row.
      data: of a prepared data set.
      train: with a resolved precision.
      num_steps: a round.
      model: answers as the configuration's own does.
    """
    from models import classifier, optimizers
    from models.train_step import TrainStep
    from pipeline import batches, source

    model = model or classifier.build(train)
    optimizer = optimizers.build(train, model.trainable_variables)
    full_size = dataclasses.replace(data, resolutions="")
    step = TrainStep(model, optimizer, full_size, train, total_steps=1_000_000)
    stream = iter(batches.train_batches(data, source.open_builder(data), train.seed))

    def run() -> None:
        for number in range(num_steps):
            step(next(stream), number)
        step.sums.numpy()  # waits for the device

    return timing.Side(name, run, num_steps * data.batch_size)
