"""THE training loop: every run, study, tuner trial and benchmark goes through `train`.

    batches ──uint8──▶ TrainStep (augment, forward, backward, update) ──▶ validation ──▶ checkpoint, once an epoch

It drives `keras.callbacks.CallbackList`, so that Keras's callbacks work as in `fit`; `fit` itself resumes at the wrong
step, draws two iterators an epoch and loses the random state. A run that is killed goes on from its last checkpoint and
ends with the very weights that it would have had.
"""

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import keras
import tensorflow as tf

from models import checkpoints, classifier, device, metrics, optimizers, stopping
from models.evaluation import Evaluator
from models.progress_bar import ProgressBar
from models.reporting import report
from models.run_folder import RunFolder
from models.train_config import TrainConfig
from models.train_step import TrainStep
from pipeline import batches, errors, source, split
from pipeline.augment import sets
from pipeline.data_config import DataConfig

BAR_SECONDS = 0.25  # between two readings of the running means; on a GPU each reading waits for the device


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a run leaves: the model with its final weights, the report, and the rows of `metrics.jsonl`."""

    model: keras.Model
    report: dict[str, Any]
    rows: list[dict[str, Any]]


def train(
    data: DataConfig,
    config: TrainConfig,
    *,
    run: RunFolder | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 1,
) -> Trained:
    """Train a classifier as `data` and `config` say.

    Args:
      data: the data set, prepared, and how it is fed.
      config: the model and how it is trained; `precision` must be resolved (`models.precision.resolve`).
      run: where to checkpoint and report; a run that was cut off there goes on. None keeps everything in memory.
      callbacks: any Keras callbacks; `val_*` logs are there where something is held out.
      verbose: 0 is silent, 1 shows Keras's progress bar.

    Raises:
      errors.BadArgumentError: the configuration does not fit the data or the callbacks.
      errors.InterruptedRunError: SIGINT or SIGTERM came; the state is saved in `run`.
      errors.FailedError: the loss is not a number any more.
    """
    _refuse_two_rates(config, callbacks)
    return _Loop(data, config, run, callbacks, verbose).run()


def _refuse_two_rates(config: TrainConfig, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    rate_setters = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    for callback in callbacks:
        if isinstance(callback, rate_setters) and config.schedule != "constant":
            raise errors.BadArgumentError(
                f"schedule={config.schedule!r} and {type(callback).__name__} both set the learning rate; "
                "use schedule='constant' with that callback"
            )


class _Loop:
    """One call of `train`; methods in the order that they happen."""

    def __init__(
        self,
        data: DataConfig,
        config: TrainConfig,
        folder: RunFolder | None,
        callbacks: Sequence[keras.callbacks.Callback],
        verbose: int,
    ) -> None:
        self.data, self.config, self.folder, self.verbose = data, config, folder, verbose
        self.builder = source.open_builder(data)
        self.num_train = split.size(data, self.builder, "train")
        self.epochs = batches.Epochs.of(data, self.num_train, config.epochs, config.max_steps)
        self.model = classifier.build(config)
        self.optimizer = self.model.optimizer = optimizers.build(config, self.model.trainable_variables)
        transforms = sets.build(data.augmentation)
        self.step = TrainStep(self.model, self.optimizer, transforms, config, self.epochs.total_steps)
        self.evaluator = Evaluator(self.model, config)
        self.given_callbacks = list(callbacks)
        self.progress = self._restored()

    def run(self) -> Trained:
        """Train from where the run is to its end, and report."""
        if not self.progress.finished:
            with stopping.Requests(listen=self.folder is not None) as self.stop_requests:
                self._train()
        trained = Trained(self.model, self._report(), self.progress.rows)
        if self.folder is not None:
            self.folder.save_model(self.model)
            self.folder.write_report(trained.report)
        return trained

    def _train(self) -> None:
        progress = self.progress
        stream = iter(batches.train_batches(self.data, self.builder, self.config.seed, progress.step))
        self.validation = (
            batches.eval_batches(self.data, self.builder, "validation") if self.data.num_validation else None
        )
        bar = [ProgressBar()] if self.verbose else []
        self.callbacks = keras.callbacks.CallbackList([*self.given_callbacks, *bar], add_history=True, model=self.model)
        self._announce_epochs(self.epochs.first_step(1))
        self.model.stop_training = False
        self.callbacks.on_train_begin()
        logs: dict[str, float] = {}
        while progress.epoch < self.epochs.count and not self.model.stop_training:
            logs = self._train_epoch(stream)
        self.callbacks.on_train_end(logs)
        # EarlyStopping and its like may have put other weights back.
        progress.final = self._validation_means() if self.given_callbacks else report.validation_of(progress.rows[-1])
        progress.finished = True
        self._checkpoint()

    def _train_epoch(self, stream: Iterator[dict[str, tf.Tensor]]) -> dict[str, float]:
        """One epoch, or what a continued run has left of it: steps, validation, callbacks, checkpoint."""
        progress = self.progress
        self._announce_epochs(self.epochs.last_step(progress.epoch) - self.epochs.first_step(progress.epoch))
        self.callbacks.on_epoch_begin(progress.epoch)
        images_per_s = self._train_steps(stream)
        means = metrics.means(self.step.sums)
        if not math.isfinite(means["loss"]):
            raise errors.FailedError(
                f"the training loss of epoch {progress.epoch + 1} is {means['loss']}, expected a number; "
                f"try a lower --learning_rate than {self.config.learning_rate}"
            )
        validation = self._validate()
        rate = float(self.optimizer.learning_rate)
        logs = {**means, **{f"val_{name}": value for name, value in validation.items()}, "learning_rate": rate}
        self.callbacks.on_epoch_end(progress.epoch, {**logs, "images_per_s": images_per_s})
        progress.rows.append(report.row(progress, means, validation, rate, images_per_s))
        progress.epoch += 1
        self.step.sums.assign(tf.zeros_like(self.step.sums))
        self._checkpoint()
        return logs

    def _train_steps(self, stream: Iterator[dict[str, tf.Tensor]]) -> float:
        """The steps that the epoch under way has left; returns their images a second."""
        progress = self.progress
        epoch_begins, last_step = self.epochs.first_step(progress.epoch), self.epochs.last_step(progress.epoch)
        first_step, started = progress.step, time.perf_counter()
        shown, logs = started, {}
        for number in range(first_step, last_step):
            self.callbacks.on_train_batch_begin(number - epoch_begins)
            self.step(next(stream), number)
            progress.step = number + 1
            now = time.perf_counter()
            if now - shown > BAR_SECONDS or progress.step == last_step:
                images_per_s = (progress.step - first_step) * self.data.batch_size / (now - started)
                logs, shown = {**metrics.means(self.step.sums), "images_per_s": images_per_s}, now
            self.callbacks.on_train_batch_end(number - epoch_begins, logs)
            if self.stop_requests.received or self.model.stop_training:
                break
        self.step.sums.numpy()  # waits for the device
        seconds, num_images = time.perf_counter() - started, (progress.step - first_step) * self.data.batch_size
        progress.train_seconds += seconds
        progress.images_seen += num_images
        if self.stop_requests.received:
            self._interrupt()
        return num_images / seconds

    def _validate(self) -> dict[str, float]:
        """Validation as the callbacks see it."""
        if self.validation is None:
            return {}
        self.callbacks.on_test_begin()
        means = self._validation_means()
        self.callbacks.on_test_end(means)
        return means

    def _validation_means(self) -> dict[str, float]:
        """The means over the validation part; nothing where nothing is held out."""
        return {} if self.validation is None else self.evaluator(self.validation, self.data.num_validation)

    def _announce_epochs(self, num_steps: int) -> None:
        self.callbacks.set_params({"verbose": self.verbose, "epochs": self.epochs.count, "steps": num_steps})

    def _checkpoint(self) -> None:
        if self.folder is None:
            return
        self.progress.sums = self.step.sums.numpy().tolist()
        self.progress.peak_rss_mib = max(self.progress.peak_rss_mib, device.peak_rss_mib())
        checkpoints.save(self.folder.checkpoint, self._variables(), self.progress)
        self.folder.write_metrics(self.progress.rows)

    def _restored(self) -> checkpoints.Progress:
        saved = checkpoints.restore(self.folder.checkpoint, self._variables()) if self.folder is not None else None
        if self.folder is None or saved is None:
            return checkpoints.Progress()
        self.step.sums.assign(saved.sums)
        self.folder.write_metrics(saved.rows)  # a kill may have come between the checkpoint and the rows
        return saved

    def _interrupt(self) -> NoReturn:
        self._checkpoint()
        reached = f"step {self.progress.step} of {self.epochs.total_steps}"
        raise errors.InterruptedRunError(f"interrupted; {reached} is saved, and the same command goes on from there")

    def _variables(self) -> list[keras.Variable]:
        return checkpoints.variables(self.model, self.optimizer)

    def _report(self) -> dict[str, Any]:
        counts = report.Counts(
            self.num_train, self.data.num_validation, source.num_examples(self.builder, "test"), self.epochs.views
        )
        return report.of_training(self.data, self.config, self.model, self.progress, counts)
