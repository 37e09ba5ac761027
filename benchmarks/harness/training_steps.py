"""Whole training steps as cases of a measurement, and the recipes that benchmarks measure."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.harness.labels import Labels
from benchmarks.harness.timing import Case
from models.config import presets
from models.config.fitted import fitted
from models.config.training import TrainConfig
from pipeline.common import config, errors
from pipeline.common.config import nearest
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

# Networks without a preset that people compare with, trained in their usual way.
_LARGER = {
    "batch_size": 128,
    "augmentation": "flip_crop",
    "schedule": "warmup_cosine",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-3,
    "logit_scale": 1.0,
}
RECIPES: dict[str, dict[str, Any]] = {
    **{name: presets.PRESETS[name] for name in presets.WITH_NETWORK},
    "resnet18": {**_LARGER, "architecture": "resnet18"},
    "wrn_16_4": {**_LARGER, "architecture": "wide_resnet", "depth": 16, "widen_factor": 4},
}


def recipe(name: str) -> dict[str, Any]:
    """The values of a preset, or of one of the networks that have none; any other name is a BadArgumentError."""
    if name not in RECIPES:
        hint = nearest(name, set(RECIPES))
        raise errors.BadArgumentError(f"recipes={name!r}: expected some of {', '.join(RECIPES)}{hint}")
    return RECIPES[name]


def configured(name: str, source: Mapping[str, Any], precision: str) -> tuple[DataConfig, TrainConfig]:
    """The configurations of a recipe, fitted to a prepared data set; `source` has the values of its `SourceConfig`.

    Nothing is held out: the smallest data set has no 10,000 examples to spare.
    """
    values = recipe(name)
    data = config.build(DataConfig, values, source, {"num_validation": 0})
    train = config.build(TrainConfig, values, {"precision": precision})
    return fitted(data, train, prepared.description(data.data_dir, data.prepared_name), values)


class Steps:
    """Training steps of one model at full resolution, the last and most expensive one of a progressive schedule.

    `num_steps` are those of a round, rounded up to calls of `train.steps_per_call`. The precision of `train` is
    resolved. A `model` is trained instead of the configuration's own model, and has the same outputs.
    """

    def __init__(
        self, data: DataConfig, train: TrainConfig, num_steps: int, model: "keras.Model | None" = None
    ) -> None:
        from models import classifier
        from models.optimizers.build import build_optimizer
        from models.training.step import TrainStep
        from pipeline.batches import OpenedData

        opened = OpenedData(dataclasses.replace(data, resolutions=()))
        self.model = model or classifier.build(train, opened.description, opened.input_size)
        self._steps_per_call = train.steps_per_call
        self._num_calls, self._batch_size = -(-num_steps // train.steps_per_call), data.batch_size
        optimizer = build_optimizer(train, self.model.trainable_variables)
        self._step = TrainStep(
            self.model, optimizer, opened.config, opened.description, train, total_steps=1_000_000, whole=opened.whole
        )

    def case(self, labels: Labels, batches: "Iterator[dict[str, tf.Tensor]]") -> Case:
        """The case of steps on the next ones of `batches`, which may be one batch that is repeated."""
        num_images = self._num_calls * self._steps_per_call * self._batch_size
        return Case(labels, lambda: self.run_calls(batches, self._num_calls), num_images)

    def run_calls(self, batches: "Iterator[dict[str, tf.Tensor]]", num_calls: int) -> None:
        """Make calls of the step's graph on the next ones of `batches`, and wait for the device."""
        for number in range(0, num_calls * self._steps_per_call, self._steps_per_call):
            self._step.run_steps(list(itertools.islice(batches, self._steps_per_call)), number)
        self._step.metric_totals.numpy()  # waits

    def graph(self, batch: "dict[str, tf.Tensor]") -> "tf.Graph":
        """The graph of one step on batches of this form, as traced."""
        return self._step.graph(batch)


def case(labels: Labels, data: DataConfig, train: TrainConfig, num_steps: int) -> Case:
    """The case of training steps on the batches of the input pipeline; see `Steps`."""
    from pipeline.batches import OpenedData

    return Steps(data, train, num_steps).case(labels, iter(OpenedData(data).train(train.seed)))
