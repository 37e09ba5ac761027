"""The state of a run: what a checkpoint saves and restores as one unit."""

import contextlib
from typing import Any

import keras

from models import classifier
from models.config.training import TrainConfig
from models.layers import whitening
from models.optimizers.build import build_optimizer
from models.runs import checkpoints, saved_model, warm_start
from models.runs.folder import RunFolder
from models.runtime import device
from models.training.step import TrainStep
from pipeline.batches import OpenedData


class TrainState:
    """Model, optimizer, slow weights, metric totals and progress, restored from the run's folder if it has begun.

    The configuration's precision is resolved; `total_steps` is of the whole run. Without a folder all stays in memory.
    """

    def __init__(self, opened: OpenedData, config: TrainConfig, total_steps: int, folder: RunFolder | None) -> None:
        self.model = classifier.build(config)
        self.optimizer = self.model.optimizer = build_optimizer(config, self.model.trainable_variables)
        self.step = TrainStep(self.model, self.optimizer, opened.config, config, total_steps)
        self._folder = folder
        restored = folder and checkpoints.restore(folder.checkpoint, self._variables())
        self.progress = restored or checkpoints.Progress()
        if folder and restored:
            self.step.metric_totals.assign(restored.metric_totals)
            folder.write_metrics(restored.rows)  # a kill may have come between the checkpoint and the rows
            return
        # The first weights that are not drawn: another run's trunk, or filters of the training images.
        if config.init_from:
            warm_start.load_trunk_weights(self.model, opened.config, config)
        elif whitening.has_stem(self.model):
            first = next(opened.examples("train").rebatch(whitening.NUM_IMAGES).as_numpy_iterator())
            whitening.fit(self.model, first["image"])
        if self.step.slow_weights is not None:
            self.step.slow_weights.reset()

    def checkpoint(self) -> None:
        """Write the checkpoint and the rows to the folder, if there is one."""
        if self._folder is None:
            return
        self.progress.metric_totals = self.step.metric_totals.numpy().tolist()
        self.progress.peak_rss_mib = max(self.progress.peak_rss_mib, device.peak_rss_mib())
        checkpoints.save(self._folder.checkpoint, self._variables(), self.progress)
        self._folder.write_metrics(self.progress.rows)

    def finish(self, report: dict[str, Any]) -> None:
        """Write the trained model and the run's report to the folder, if there is one."""
        if self._folder is not None:
            saved_model.save(self.model, self._folder.model)
            self._folder.write_report(report)

    def evaluated_weights(self) -> contextlib.AbstractContextManager[None]:
        """A context in which the model has the weights that are evaluated: the slow ones, where the run has them."""
        slow_weights = self.step.slow_weights
        return contextlib.nullcontext() if slow_weights is None else slow_weights.in_place()

    def _variables(self) -> list[keras.Variable]:
        slow = [] if self.step.slow_weights is None else self.step.slow_weights.variables
        return [*self.model.variables, *self.optimizer.variables, *slow]
