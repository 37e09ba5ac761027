"""THE training loop: every run, study, tuner trial and benchmark goes through `train`.

    batches ──uint8──▶ TrainStep (augment, forward, backward, update) ──▶ validation ──▶ checkpoint, once an epoch

It drives `keras.callbacks.CallbackList`, so that Keras's callbacks work as in `fit`; `fit` itself resumes at the wrong
step, draws two iterators an epoch and loses the random state. A run that is killed goes on from its last checkpoint and
ends with the very weights that it would have had.
"""

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import keras
import tensorflow as tf

from models import classifier, metrics
from models.config.training import TrainConfig
from models.layers import whitening
from models.optimizers import build as optimizers
from models.reporting import report
from models.runs import checkpoints, saved_model, warm_start
from models.runs.folder import RunFolder
from models.runtime import device, precision
from models.training import signals
from models.training.evaluation import Evaluator
from models.training.progress_bar import ProgressBar
from models.training.step import TrainStep
from pipeline import batches, source, split, stages
from pipeline.common import errors
from pipeline.data_config import DataConfig
from pipeline.resolution import FULL_SIZE, ResolutionSchedule

BAR_SECONDS = 0.25  # between two readings of the running means; on a GPU each reading waits for the device
CHECKPOINT_SECONDS = 300.0  # what a long epoch can lose at most


@dataclasses.dataclass(frozen=True)
class TrainResult:
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
) -> TrainResult:
    """Train a classifier as `data` and `config` say.

    Args:
      data: the data set, prepared, and how it is fed.
      config: the model and how it is trained; the precision `auto` becomes what suits the machine.
      run: where to checkpoint and report; a run that was cut off there goes on. None keeps everything in memory.
      callbacks: any Keras callbacks; `val_*` logs are there where something is held out.
      verbose: 0 is silent, 1 shows Keras's progress bar, 2 a line an epoch.

    Raises:
      errors.BadArgumentError: the configuration does not fit the data or the callbacks.
      errors.InterruptedRunError: SIGINT or SIGTERM came; the state is saved in `run`.
      errors.DivergedError: the loss is not a number any more, or every step of an epoch overflowed.
    """
    _refuse_two_rates(config, callbacks)
    _refuse_sizes(data, config)
    _refuse_blind_patience(data, config)
    config = dataclasses.replace(config, precision=precision.resolve(config.precision))
    return _Loop(data, config, run, callbacks, verbose).run()


def check(data: DataConfig, config: TrainConfig) -> None:
    """Refuse what does not fit the data, before anybody touches a run's folder.

    Raises:
      errors.BadArgumentError: it does not.
      errors.FailedError: the data set is not prepared.
    """
    builder = source.open_builder(data)
    part = split.keep("train", data, builder)
    batches.Epochs.of(data, part.size, config.epochs, config.max_steps)
    batches.train_stages(data, part, config.seed, start_step=0)
    _refuse_sizes(data, config)
    _refuse_blind_patience(data, config)
    warm_start.check(data, config)


def _refuse_sizes(data: DataConfig, config: TrainConfig) -> None:
    sizes = set(ResolutionSchedule.parse(data.resolutions).sizes)
    if sizes != {FULL_SIZE} and not classifier.takes_any_size(config.architecture):
        raise errors.BadArgumentError(
            f"resolutions={data.resolutions!r}: architecture {config.architecture!r} takes {FULL_SIZE} x {FULL_SIZE} "
            "pixels alone; leave --resolutions out"
        )


def _refuse_blind_patience(data: DataConfig, config: TrainConfig) -> None:
    if config.patience and not data.num_validation:
        raise errors.BadArgumentError(
            f"patience={config.patience} and num_validation=0: nothing is held out to look at; leave --patience out"
        )


def _refuse_two_rates(config: TrainConfig, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    rate_setters = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    for callback in callbacks:
        if isinstance(callback, rate_setters) and config.schedule != "constant":
            raise errors.BadArgumentError(
                f"schedule={config.schedule!r} and {type(callback).__name__} both set the learning rate; "
                "use schedule='constant' with that callback"
            )


def _acts_on_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether the callback sees single steps, and so must be given each one's own logs."""
    hooks = ("on_train_batch_end", "on_batch_end")
    defaults = {hook: getattr(keras.callbacks.Callback, hook) for hook in hooks}
    return any(getattr(getattr(callback, hook), "__func__", None) is not default for hook, default in defaults.items())


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
        self.step = TrainStep(self.model, self.optimizer, data, config, self.epochs.total_steps)
        self.evaluator = Evaluator(self.model, config)
        self.given_callbacks = list(callbacks)
        self.reads_every_step = any(_acts_on_batches(callback) for callback in callbacks)
        self.validation: tf.data.Dataset | None = None
        self.callbacks = keras.callbacks.CallbackList()
        self.stop_requests = signals.Requests(listen=folder is not None)
        self.progress = self._restored()

    def run(self) -> TrainResult:
        """Train from where the run is to its end, and report."""
        if not self.progress.finished:
            with self.stop_requests:
                self._train()
        trained = TrainResult(self.model, self._report(), self.progress.rows)
        if self.folder is not None:
            saved_model.save(self.model, self.folder.model)
            self.folder.write_report(trained.report)
        return trained

    def _train(self) -> None:
        progress = self.progress
        stream = iter(batches.train_batches(self.data, self.builder, self.config.seed, progress.step))
        if self.data.num_validation:
            self.validation = batches.eval_batches(self.data, self.builder, "validation")
        if self.verbose:
            self._describe()
        bar = [ProgressBar()] if self.verbose else []
        self.callbacks = keras.callbacks.CallbackList([*self.given_callbacks, *bar], add_history=True, model=self.model)
        self._announce_epochs(self.epochs.first_step(1))
        self.model.stop_training = False
        self.callbacks.on_train_begin()
        logs: dict[str, float] = {}
        while progress.epoch < self.epochs.count and not self.model.stop_training and not self._has_stalled():
            logs = self._train_epoch(stream)
        if self.step.slow_weights is not None:
            self.step.slow_weights.hand_over()
        self.callbacks.on_train_end(logs)
        # EarlyStopping and its like may have put other weights back.
        progress.final = self._validation_means() if self.given_callbacks else report.validation_of(progress.rows[-1])
        progress.finished = True
        self._checkpoint()

    def _has_stalled(self) -> bool:
        """Whether validation has not improved for `patience` epochs; of the rows, so that a continued run agrees."""
        name = "validation_coarse_accuracy" if self.config.heads == "coarse" else "validation_fine_accuracy"
        accuracies = [row[name] for row in self.progress.rows]
        if not self.config.patience or len(accuracies) <= self.config.patience:
            return False
        return max(accuracies[-self.config.patience :]) <= max(accuracies[: -self.config.patience])

    def _describe(self) -> None:
        """Say what is about to happen: the way of the data, stage by stage, and the size of the work."""
        part = split.keep("train", self.data, self.builder)
        host = batches.train_stages(self.data, part, self.config.seed, self.progress.step)
        print(f"Data: {self.data.dataset}, from {self.data.data_dir}")
        for stage in host:
            print(f"  {stage}")
        print("  ---- uint8 crosses to the device")
        for transform in self.step.transforms:
            print(f"  {transform!r}")
        if self.data.original_fraction:
            print(f"  but {self.data.original_share} of each example's views as they are")
        if self.data.unaugmented_ending:
            print(f"  but the last {self.data.unaugmented_ending:.1%} of the steps as they are")
        if self.data.resolutions:
            print(f"  resized to {self.data.resolutions} (pixels:share of the steps)")
        print(f"  an epoch: {self.epochs.views:,} views, {self.epochs.first_step(1):,} steps")
        print(
            f"Model: {self.config.architecture}, {self.model.count_params():,} parameters, {self.config.precision}; "
            f"{self.epochs.total_steps - self.progress.step:,} steps of {self.data.batch_size} images to go"
        )

    def _train_epoch(self, stream: Iterator[dict[str, tf.Tensor]]) -> dict[str, float]:
        """One epoch, or what a continued run has left of it: steps, validation, callbacks, checkpoint."""
        progress = self.progress
        self._announce_epochs(self.epochs.last_step(progress.epoch) - self.epochs.first_step(progress.epoch))
        self.callbacks.on_epoch_begin(progress.epoch)
        self._train_steps(stream)
        means, images_per_s = metrics.means(self.step.metric_totals, self.config.heads), self._images_per_s()
        if not means:
            raise errors.DivergedError(f"every step of epoch {progress.epoch + 1} overflowed; try --precision=float32")
        validation = self._validate()
        rate = float(self.optimizer.learning_rate)
        logs = {**means, **{f"val_{name}": value for name, value in validation.items()}, "learning_rate": rate}
        with self._evaluated_weights():  # those that EarlyStopping and ModelCheckpoint are to keep
            self.callbacks.on_epoch_end(progress.epoch, {**logs, "images_per_s": images_per_s})
        progress.train_seconds += progress.epoch_seconds
        progress.rows.append(report.row(progress, means, validation, rate, images_per_s))
        progress.epoch += 1
        progress.epoch_seconds = 0.0
        self.step.metric_totals.assign(tf.zeros_like(self.step.metric_totals))
        self._checkpoint()
        return logs

    def _train_steps(self, stream: Iterator[dict[str, tf.Tensor]]) -> None:
        """The steps that the epoch under way has left."""
        progress = self.progress
        epoch_begins, last_step = self.epochs.first_step(progress.epoch), self.epochs.last_step(progress.epoch)
        logs: dict[str, float] = {}
        counted = shown = saved = time.perf_counter()
        while progress.step < last_step:
            self.callbacks.on_train_batch_begin(progress.step - epoch_begins)
            count = self.step.steps_until_resize(
                progress.step, min(self.config.steps_per_call, last_step - progress.step)
            )
            self.step.run_steps(list(itertools.islice(stream, count)), progress.step)
            progress.step += count
            now = time.perf_counter()
            progress.epoch_seconds += now - counted
            counted = now
            if self.reads_every_step or now - shown > BAR_SECONDS or progress.step == last_step:
                means = metrics.means(self.step.metric_totals, self.config.heads)
                logs, shown = {**means, "images_per_s": self._images_per_s()}, now
            self.callbacks.on_train_batch_end(progress.step - 1 - epoch_begins, logs)
            if self.stop_requests.received or self.model.stop_training:
                break
            if now - saved > CHECKPOINT_SECONDS:
                self._checkpoint()
                counted = saved = time.perf_counter()
        self.step.metric_totals.numpy()  # waits for the device
        progress.epoch_seconds += time.perf_counter() - counted
        if self.stop_requests.received:
            self._interrupt()

    def _images_per_s(self) -> float:
        """Of the epoch under way, all of its processes together."""
        num_steps = self.progress.step - self.epochs.first_step(self.progress.epoch)
        return num_steps * self.data.batch_size / self.progress.epoch_seconds

    def _validate(self) -> dict[str, float]:
        """Validation as the callbacks see it."""
        if self.validation is None:
            return {}
        self.callbacks.on_test_begin()
        with self._evaluated_weights():
            means = self._validation_means()
        self.callbacks.on_test_end(means)
        return means

    def _validation_means(self) -> dict[str, float]:
        """The means over the validation part; nothing where nothing is held out."""
        return {} if self.validation is None else self.evaluator(self.validation, self.data.num_validation)

    def _evaluated_weights(self) -> contextlib.AbstractContextManager[None]:
        """Let the model have the weights that its answers are of: the slow ones, where the run has them."""
        slow_weights = self.step.slow_weights
        return contextlib.nullcontext() if slow_weights is None else slow_weights.in_place()

    def _announce_epochs(self, num_steps: int) -> None:
        self.callbacks.set_params({"verbose": self.verbose, "epochs": self.epochs.count, "steps": num_steps})

    def _checkpoint(self) -> None:
        if self.folder is None:
            return
        self.progress.metric_totals = self.step.metric_totals.numpy().tolist()
        self.progress.peak_rss_mib = max(self.progress.peak_rss_mib, device.peak_rss_mib())
        checkpoints.save(self.folder.checkpoint, self._variables(), self.progress)
        self.folder.write_metrics(self.progress.rows)

    def _restored(self) -> checkpoints.Progress:
        saved = checkpoints.restore(self.folder.checkpoint, self._variables()) if self.folder is not None else None
        if self.folder is None or saved is None:
            self._set_first_weights()
            if self.step.slow_weights is not None:
                self.step.slow_weights.reset()
            return checkpoints.Progress()
        self.step.metric_totals.assign(saved.metric_totals)
        self.folder.write_metrics(saved.rows)  # a kill may have come between the checkpoint and the rows
        return saved

    def _set_first_weights(self) -> None:
        """Those of a new run's network that are not drawn: another run's trunk, or filters of the training images."""
        if self.config.trunk_run_dir:
            warm_start.load_trunk_weights(self.model, self.data, self.config)
        elif whitening.has_stem(self.model):
            part = split.keep("train", self.data, self.builder)
            examples = stages.chain(source.read(self.builder, "train"), (part, stages.Decode()))
            first = next(examples.rebatch(whitening.NUM_IMAGES).as_numpy_iterator())
            whitening.fit(self.model, first["image"])

    def _interrupt(self) -> NoReturn:
        self._checkpoint()
        if self.verbose:
            print()  # the progress bar has left its line open
        reached = f"step {self.progress.step} of {self.epochs.total_steps}"
        raise errors.InterruptedRunError(f"interrupted; {reached} is saved, and the same command goes on from there")

    def _variables(self) -> list[keras.Variable]:
        slow = [] if self.step.slow_weights is None else self.step.slow_weights.variables
        return [*checkpoints.variables(self.model, self.optimizer), *slow]

    def _report(self) -> dict[str, Any]:
        num_test = source.num_examples(self.builder, "test")
        epochs = self.epochs
        counts = report.Counts(self.num_train, self.data.num_validation, num_test, epochs.views, epochs.total_steps)
        return report.of_training(self.data, self.config, self.model, self.progress, counts)
