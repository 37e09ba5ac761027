"""The state of a run: what a checkpoint saves and restores as one unit."""

import contextlib
import copy
import dataclasses
import json
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models import classifier, metrics
from models.config.training import TrainConfig
from models.layers import whitening
from models.optimizers.build import build_optimizer
from models.runs import checkpoints, saved_model, warm_start
from models.runs.folder import RunFolder, previous_checkpoint
from models.runtime import device
from models.runtime.replicas import Replicas
from models.training import policy
from models.training.step import TrainStep
from pipeline.batches import OpenedData
from pipeline.common import files
from pipeline.common.progress import task


class TrainState:
    """Model, optimizer, slow weights, metric totals and progress, restored from the run's folder if it has begun.

    The configuration's precision is resolved; `total_steps` is of the whole run. Without a folder all stays in memory.
    errors.BadArgumentError where the run began on other records or on records in another order.
    """

    def __init__(
        self,
        opened: OpenedData,
        config: TrainConfig,
        total_steps: int,
        folder: RunFolder | None,
        replicas: Replicas,
    ) -> None:
        checkpoint = checkpoints.load(folder.checkpoint) if folder else None
        if folder and checkpoint:
            opened.fingerprints.check_continued(checkpoint.progress.fingerprints, f"run_dir={folder.path}")
        with task("building the network"), replicas.scope():
            self.model = classifier.build(config, opened.description, opened.input_size)
            self.optimizer = self.model.optimizer = build_optimizer(config, self.model.trainable_variables)
        weights = None
        if config.class_weights == "balanced":
            weights = {level: metrics.balanced_weights(counts) for level, counts in opened.class_counts.items()}
        self.step = TrainStep(
            self.model,
            self.optimizer,
            opened.config,
            opened.description,
            config,
            total_steps,
            weights,
            opened.whole,
            replicas,
        )
        self._config, self._folder, self._replicas = config, folder, replicas
        self.progress = checkpoints.Progress(fingerprints=opened.fingerprints.as_dict())
        self._good: tuple[checkpoints.Progress, list[np.ndarray]] | None = None  # the state that `roll_back` restores
        good = checkpoints.load(folder.good_checkpoint) if folder and checkpoint else None
        good, checkpoint = self._of_chief(good), self._of_chief(checkpoint)
        if checkpoint:
            self._restore(checkpoint, good)
            return
        if folder:
            folder.write_description(opened.description)
        # The first weights that are not drawn: another run's trunk, or filters of the training images.
        if config.init_from:
            latest, *earlier = warm_start.load_weights(self.model, opened, config)
            self.progress.trunk_records, self.progress.earlier_trunk_records = latest, earlier
        elif whitening.has_stem(self.model):
            first = next(opened.examples("train").rebatch(whitening.NUM_IMAGES).as_numpy_iterator())
            whitening.fit(self.model, first["image"])
        if self.step.slow_weights is not None:
            self.step.slow_weights.reset()
        if replicas.num_workers > 1:  # another machine may have another trunk, or the filters with another sign
            for variable, value in zip(self._variables(), replicas.of_chief(self._values()), strict=True):
                variable.assign(value)
        self.keep_good()

    def _of_chief(self, checkpoint: checkpoints.Checkpoint | None) -> checkpoints.Checkpoint | None:
        """The chief's checkpoint, which the other workers do not read."""
        if self._replicas.num_workers == 1:
            return checkpoint
        if checkpoint:
            checkpoint.restore(self._variables())  # its errors come before the others wait for it
        fields = (dataclasses.asdict(checkpoint.progress), checkpoint.is_newest) if checkpoint else None
        text = self._replicas.text_of_chief(json.dumps(fields))
        if (fields := json.loads(text)) is None:
            return None
        progress, is_newest = fields
        values = self._replicas.of_chief(self._values())
        return checkpoints.Checkpoint(pathlib.Path(), checkpoints.Progress(**progress), values, is_newest)

    def _restore(self, checkpoint: checkpoints.Checkpoint, good: checkpoints.Checkpoint | None) -> None:
        """Continue the run from its checkpoint."""
        if good:
            good.restore(self._variables())
            self._good = copy.deepcopy(good.progress), self._values()
            if not good.is_newest:  # the epochs since then lead to the good state that is damaged
                checkpoint = good
        checkpoint.restore(self._variables())
        self.progress = checkpoint.progress
        self.step.metric_totals.assign(self.progress.metric_totals)
        self._lower_learning_rate()
        if checkpoint is good:
            self.checkpoint()  # else the next call would find the later state beside the earlier good one
        elif self._folder is not None:
            self._folder.write_metrics(self.progress.rows)  # a kill may have come between the checkpoint and the rows

    def checkpoint(self) -> None:
        """Write the checkpoint and the rows to the folder, if there is one."""
        if self._folder is None:
            return
        self.progress.metric_totals = self.step.metric_totals.numpy().tolist()
        self.progress.peak_rss_mib = max(self.progress.peak_rss_mib, device.peak_rss_mib())
        checkpoints.save(self._folder.checkpoint, self._variables(), self.progress)
        self._folder.write_metrics(self.progress.rows)

    def keep_good(self) -> None:
        """Make this state, of an epoch's end, the one that `roll_back` restores; only if the configuration needs it.

        Call it before `checkpoint`: a run that is killed between the two reaches the kept state again.
        """
        if self._config.on_divergence != "rollback":
            return
        self.progress.metric_totals = self.step.metric_totals.numpy().tolist()
        self._good = copy.deepcopy(self.progress), self._values()
        if self._folder is not None:
            checkpoints.save(self._folder.good_checkpoint, self._variables(), self.progress)

    def roll_back(self, epoch: int) -> None:
        """Return from `epoch`, which diverged, to the last good state, with a lower learning rate.

        Times go on, and the rollback is recorded.
        """
        if self._good is None:
            raise ValueError("no good state was kept")
        diverged, (good, values) = self.progress, self._good
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)
        self.step.metric_totals.assign(tf.zeros_like(self.step.metric_totals))
        self.progress = copy.deepcopy(good)
        self.progress.train_seconds = diverged.train_seconds + diverged.epoch_seconds
        multiplier = _rate_multiplier(diverged) * policy.RATE_AFTER_ROLLBACK
        entry = {"epoch": epoch, "good_epoch": good.epoch, "learning_rate_multiplier": multiplier}
        self.progress.rollbacks = [*diverged.rollbacks, entry]
        self.optimizer.learning_rate.assign(self._config.learning_rate * multiplier)  # without a schedule
        self._lower_learning_rate()  # which a schedule starts from
        self.checkpoint()

    def _lower_learning_rate(self) -> None:
        if self.progress.rollbacks:
            self.step.set_learning_rate(self._config.learning_rate * _rate_multiplier(self.progress))

    def finish(self, report: dict[str, Any]) -> None:
        """Write the trained model and the run's report to the folder, if there is one."""
        if self._folder is not None:
            saved_model.save(self.model, self._folder.model)
            # Before the report, with which the run is finished: the next call removes nothing then. The previous one
            # first: where it is the only one, a run goes back to it.
            for path in (previous_checkpoint(self._folder.good_checkpoint), self._folder.good_checkpoint):
                if path.exists():
                    path.unlink()
                    files.fsync(path.parent)
            self._folder.write_report(report)

    def evaluated_weights(self) -> contextlib.AbstractContextManager[None]:
        """A context in which the model has the weights that are evaluated: the slow ones, where the run has them."""
        slow_weights = self.step.slow_weights
        return contextlib.nullcontext() if slow_weights is None else slow_weights.in_place()

    def _variables(self) -> list[keras.Variable]:
        slow = [] if self.step.slow_weights is None else self.step.slow_weights.variables
        return [*self.model.variables, *self.optimizer.variables, *slow]

    def _values(self) -> list[np.ndarray]:
        return [variable.numpy() for variable in self._variables()]


def _rate_multiplier(progress: checkpoints.Progress) -> float:
    """The factor of the configured learning rate after a run's rollbacks."""
    return progress.rollbacks[-1]["learning_rate_multiplier"] if progress.rollbacks else 1.0
