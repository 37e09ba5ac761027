"""The training loop: every run, study, tuner trial and benchmark goes through `train`.

    batches ──uint8──▶ TrainStep (augment, forward, backward, update) ──▶ validation ──▶ checkpoint, once an epoch

It drives `keras.callbacks.CallbackList`, so that callbacks work as in Keras's `fit`, which itself resumes at the wrong
step, draws two iterators an epoch and loses the random state. A killed run resumes from its last checkpoint, and ends
with the same weights as an uninterrupted one.
"""

import dataclasses
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

import keras
import tensorflow as tf

from models import metrics
from models.config.fitted import fitted
from models.config.training import TrainConfig
from models.reporting import report
from models.runs import checkpoints
from models.runs.folder import RunFolder
from models.runtime import global_settings, precision, replicas
from models.runtime.git_commit import git_commit
from models.training import policy, preconditions
from models.training.callbacks import Callback, Callbacks, as_list, begin_again, callback_list, has_hook, only_watches
from models.training.description import describe
from models.training.evaluation import Evaluator
from models.training.state import TrainState
from pipeline.batches import OpenedData
from pipeline.common import errors
from pipeline.common.numbers import counted
from pipeline.common.process import signals
from pipeline.common.progress import task
from pipeline.data_config import DataConfig
from pipeline.datasets import prepared
from pipeline.epochs import EpochSchedule

BAR_SECONDS = 0.25  # between two readings of the running means; on a GPU each reading waits for the device
CHECKPOINT_SECONDS = 300.0  # what a long epoch can lose at most


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """The model with its final weights, the run's report, and the rows of `metrics.jsonl`."""

    model: keras.Model
    report: dict[str, Any]
    rows: list[dict[str, Any]]


@global_settings.defaults()
def train(
    data: DataConfig,
    config: TrainConfig,
    *,
    run: RunFolder | None = None,
    callbacks: Callbacks = None,
    verbose: int = 1,
) -> TrainResult:
    """Train a classifier on a prepared data set; the precision `auto` becomes what suits the machine.

    A run that was cut off in `run` goes on, in the precision that it began with; without a folder everything stays in
    memory. Callbacks may do what they may in `fit`, and get `val_*` logs where something is held out; one that would
    have no effect is an error. `verbose` 0 is silent, 1 shows Keras's progress bar, 2 a line an epoch.

    Raises:
      errors.BadArgumentError: the configuration does not fit the data or the callbacks, or `run` began on other data.
      errors.InterruptedRunError: a signal came that ends a process; the state is saved in `run`.
      errors.DivergedError: the loss is not finite or absurd, or every step of an epoch overflowed, and the
        configuration says to stop, or three rollbacks did not help.
      errors.WorkerLostError: another worker of a distributed run has ended or cannot be reached.
    """
    given, description = as_list(callbacks), prepared.description(data.data_dir, data.prepared_name)
    data, config = fitted(data, config, description)
    of_run = replicas.of(config.distribute)
    of_run.rows(data.batch_size)
    if data.cache == "device" and of_run.num_local > 1:
        raise errors.BadArgumentError(
            f"cache=device: expected one device in each process, got {of_run.num_local}; set --cache=memory"
        )
    opened = OpenedData(data)
    num_validation = opened.num_examples["validation"]
    policy.check_callbacks(config, description.classes, num_validation, given)
    preconditions.check_patience(config, num_validation)
    git_commit()  # of the code that is loaded now; another commit may be checked out when the training ends
    with of_run.losing():
        choice = _chosen_precision(config, run, of_run)
        _check_agreement(of_run, data, config, opened)
        loop = _Loop(opened, dataclasses.replace(config, precision=choice.policy), run, of_run, given, verbose)
        loop.progress.precision_reason = loop.progress.precision_reason or choice.reason
        return loop.run()


def _chosen_precision(config: TrainConfig, run: RunFolder | None, of_run: replicas.Replicas) -> precision.Choice:
    """The precision of a run, which is the chief's choice: that of `auto` depends on the machine."""
    choice = precision.choose(run.as_begun("precision", config.precision) if run else config.precision)
    return precision.Choice(*json.loads(of_run.text_of_chief(json.dumps(dataclasses.astuple(choice)))))


def _check_agreement(of_run: replicas.Replicas, data: DataConfig, config: TrainConfig, opened: OpenedData) -> None:
    """Raise errors.BadArgumentError where a worker of a distributed run has other values or records than the chief."""
    identity = {**data.as_dict(identity_only=True), **config.as_dict(identity_only=True)}
    of_machine = ("dataset", "init_from", "precision")  # paths, and what the chief chooses
    here = {name: value for name, value in identity.items() if name not in of_machine}
    here |= {"steps_per_call": config.steps_per_call, **opened.fingerprints.as_dict()}
    chiefs = json.loads(of_run.text_of_chief(json.dumps(here)))
    for name, value in json.loads(json.dumps(here)).items():
        if value != chiefs.get(name):
            raise errors.BadArgumentError(
                f"{name}={value}: worker 0 has {chiefs.get(name)}; expected the same flags and data on all workers"
            )


class _Wishes(NamedTuple):
    """What a worker of a run wants done after a step; all workers do what one of them wants."""

    stop: bool
    end: bool
    save: bool
    show: bool


class _Loop:
    """One call of `train`; methods in the order that they happen."""

    def __init__(
        self,
        opened: OpenedData,
        config: TrainConfig,
        folder: RunFolder | None,
        of_run: replicas.Replicas,
        callbacks: list[Callback],
        verbose: int,
    ) -> None:
        self.opened, self.data, self.config, self.verbose = opened, opened.config, config, verbose
        self.replicas = of_run
        num_train = opened.num_examples["train"]
        self.epochs = EpochSchedule.from_config(self.data, num_train, config.epochs, config.max_steps)
        self.state = TrainState(self.opened, config, self.epochs.total_steps, folder, of_run)
        self.step = self.state.step
        self.classes = self.opened.description.classes
        self.evaluator = Evaluator(self.state.model, config, self.classes, replicas=of_run)
        self.validation: tf.data.Dataset | None = None
        self.has_user_callbacks = of_run.any(not all(map(only_watches, callbacks)))
        self.logs_steps, self.logs_test_batches = (
            any(has_hook(callback, *hooks) for callback in callbacks)
            for hooks in (("on_train_batch_end", "on_batch_end"), ("on_test_batch_end",))
        )
        self.callbacks = callback_list(callbacks, self.state.model, config, shows_bar=verbose > 0)
        self.stop_requests = signals.Requests(listen=folder is not None or not of_run.is_chief)
        self.votes: tf.Tensor | None = None  # of the last call of the step

    @property
    def progress(self) -> checkpoints.Progress:
        """The state's progress, which a rollback replaces."""
        return self.state.progress

    def run(self) -> TrainResult:
        """Train from the current step of the run to its end, and report."""
        if not self.progress.finished:
            with self.stop_requests, self.opened.reading():
                self._train()
        model, progress = self.state.model, self.progress
        with task("writing the report"):
            num_replicas = self.replicas.count
            finished = report.of_training(self.opened, self.config, model, progress, self.epochs, num_replicas)
            self.state.finish(finished)
        return TrainResult(model, finished, progress.rows)

    def _train(self) -> None:
        stream = self._stream()
        if self.opened.num_examples["validation"]:
            self.validation = self.opened.evaluation("validation")
        if self.verbose:
            describe(self.opened, self.config, self.epochs, self.state)
        self._set_callback_params(0)
        self.state.model.stop_training = False
        self.callbacks.on_train_begin()
        logs: dict[str, float] = {}
        is_over = self._has_ended()
        while not self.progress.finished:
            epoch = self.progress.epoch if is_over else self.progress.epoch + 1
            try:
                if is_over:
                    self._finish(logs)
                else:
                    logs = self._train_epoch(stream)
            except errors.DivergedError as error:
                self._roll_back(error, epoch)
                stream = self._stream()
                if is_over:  # the callbacks have ended
                    begin_again(self.callbacks)
            is_over = self._has_ended() or self.state.model.stop_training

    def _stream(self) -> Iterator[dict[str, tf.Tensor]]:
        """The training batches from the run's step on, of which this worker gets its part."""
        rows = None if self.step.needs_whole_batch else self.replicas.rows(self.data.batch_size)
        on_host = self.replicas.num_local > 1
        return iter(self.opened.train(self.config.seed, self.progress.step, rows, on_host))

    def _finish(self, logs: dict[str, float]) -> None:
        """End the callbacks, which may put other weights back, and the run, unless it has diverged."""
        if self.step.slow_weights is not None:
            self.step.slow_weights.hand_over()
        self.callbacks.on_train_end(logs)
        progress = self.progress
        progress.final = report.validation_of(progress.rows[-1])
        if self.has_user_callbacks and self.validation is not None:  # EarlyStopping may have put other weights back
            progress.final = self.evaluator(self.validation, self.opened.num_examples["validation"])
            final_row = {**progress.rows[-1], "validation_loss": progress.final["loss"]}
            policy.check_losses(self.config, self.classes, [final_row], is_last=True)
        policy.check_weights(self.state.model)
        progress.finished = True
        self.state.checkpoint()

    def _has_ended(self) -> bool:
        is_complete = self.progress.epoch >= self.epochs.count
        return is_complete or policy.has_stalled(self.config, self.progress.rows)

    def _train_epoch(self, stream: Iterator[dict[str, tf.Tensor]]) -> dict[str, float]:
        """One epoch, or the rest of one in a resumed run: steps, validation, callbacks, checkpoint."""
        progress = self.progress
        self._set_callback_params(progress.epoch)
        self.callbacks.on_epoch_begin(progress.epoch)
        num_left = self.epochs.last_step(progress.epoch) - progress.step
        label = f"training in epoch {progress.epoch + 1} of {self.epochs.count}"
        with task(label, num_left, "steps", is_shown=self.verbose != 1) as shown_steps:  # 1: Keras's bar shows them
            self._train_steps(stream, shown_steps.advance)
        self.opened.check_not_replaced()
        means, images_per_s = self._train_means(), self._images_per_s()
        if not means:
            raise errors.DivergedError(f"every step of epoch {progress.epoch + 1} overflowed; try --precision=float32")
        validation = self._validate()
        rate = float(self.state.optimizer.learning_rate.numpy())
        logs = {**means, **{f"val_{name}": value for name, value in validation.items()}, "learning_rate": rate}
        with self.state.evaluated_weights():  # those that EarlyStopping and ModelCheckpoint are to keep
            self.callbacks.on_epoch_end(progress.epoch, {**logs, "images_per_s": images_per_s})
        self.state.model.stop_training = self.replicas.any(self.state.model.stop_training)
        progress.train_seconds += progress.epoch_seconds
        progress.rows.append(report.row(progress, means, validation, rate, images_per_s))
        progress.epoch += 1
        progress.epoch_seconds = 0.0
        self.step.metric_totals.assign(tf.zeros_like(self.step.metric_totals))
        # A callback that stops training may put other weights back: those are checked at the end.
        is_checked_later = self.state.model.stop_training and self.validation is not None
        if not (is_checked_later and self.config.on_divergence == "stop"):
            is_last = not is_checked_later and (self._has_ended() or self.state.model.stop_training)
            policy.check_losses(self.config, self.classes, progress.rows, is_last)
        policy.check_weights(self.state.model)  # which no loss has seen since the last update without validation
        if not policy.absurd_losses(self.config, self.classes, progress.rows[-1]):
            self.state.keep_good()
        self.state.checkpoint()
        return logs

    def _roll_back(self, error: errors.DivergedError, epoch: int) -> None:
        """Return from `epoch` to the last good state; raise the error, with advice, where the run is to stop."""
        count = len(self.progress.rollbacks)
        if self.config.on_divergence == "stop":
            advice = "; try a lower --learning_rate or --on_divergence=rollback, in another --run_dir"
            raise errors.DivergedError(f"{error}{advice}") from error
        if count == policy.MAX_ROLLBACKS:
            advice = f" after {count} rollbacks; try a lower --learning_rate in another --run_dir"
            raise errors.DivergedError(f"{error}{advice}") from error
        self.state.roll_back(epoch)
        self.state.model.stop_training, self.votes = False, None  # a callback may have asked for it because of the loss
        if self.verbose:
            entry = self.progress.rollbacks[-1]
            good, rate = counted(entry["good_epoch"], "epoch"), entry["learning_rate_multiplier"]
            print(
                f"\nRollback {count + 1} of at most {policy.MAX_ROLLBACKS} to the weights after {good}: {error}; the "
                f"rate is now {rate:g} times --learning_rate",
                flush=True,
            )

    def _train_steps(self, stream: Iterator[dict[str, tf.Tensor]], advance: Callable[[int], None]) -> None:
        """The remaining steps of the current epoch; `advance` gets the number of steps of each call."""
        progress = self.progress
        first_step, last_step = self.epochs.first_step(progress.epoch), self.epochs.last_step(progress.epoch)
        logs: dict[str, float] = {}
        counted = shown = saved = time.perf_counter()
        before: tf.Tensor | None = None
        while progress.step < last_step:
            self.callbacks.on_train_batch_begin(progress.step - first_step)
            at_most = min(self.config.steps_per_call, last_step - progress.step)
            count = self.step.steps_until_resize(progress.step, at_most)
            batches, wishes = list(itertools.islice(stream, count)), self._wishes(shown, saved)
            before, self.votes = self.votes, self.step.run_steps(batches, progress.step, wishes)
            progress.step += count
            advance(count)
            now = time.perf_counter()
            progress.epoch_seconds += now - counted
            counted = now
            if self.logs_steps or self._agreed(before, shown, saved).show or progress.step == last_step:
                logs, shown = {**self._train_means(), "images_per_s": self._images_per_s()}, now
            self.callbacks.on_train_batch_end(progress.step - 1 - first_step, logs)
            agreed = self._agreed(before, shown, saved)
            if agreed.stop or agreed.end:
                break
            if agreed.save:
                policy.check_weights(self.state.model)  # those of a sound checkpoint are not to be lost
                self.state.checkpoint()
                counted = saved = time.perf_counter()
        self.step.metric_totals.numpy()  # waits for the device
        progress.epoch_seconds += time.perf_counter() - counted
        if self._agreed(before, shown, saved).stop:
            self._interrupt()

    def _wishes(self, shown: float, saved: float) -> _Wishes:
        """What this worker wants; `shown` and `saved` are the moments of the last metrics and checkpoint."""
        now, is_chief = time.perf_counter(), self.replicas.is_chief
        return _Wishes(
            stop=self.stop_requests.received,
            end=self.state.model.stop_training,
            save=is_chief and now - saved > CHECKPOINT_SECONDS,
            show=is_chief and now - shown > BAR_SECONDS,
        )

    def _agreed(self, before: tf.Tensor | None, shown: float, saved: float) -> _Wishes:
        """What to do after a call of the step, the same on all workers: what one of them wanted before the last call.

        The votes of this call are left to the next one, for which the device then has had the time.
        """
        if self.replicas.num_workers == 1:
            return self._wishes(shown, saved)
        return _Wishes(*(before.numpy() > 0 if before is not None else [False] * len(_Wishes._fields)))

    def _train_means(self) -> dict[str, float]:
        """The training metrics of the current epoch, so far."""
        return metrics.means(self.step.metric_totals, self.config.heads, self.classes)

    def _images_per_s(self) -> float:
        """The throughput of the current epoch, over all processes that trained it."""
        num_steps = self.progress.step - self.epochs.first_step(self.progress.epoch)
        return num_steps * self.data.batch_size / self.progress.epoch_seconds

    def _validate(self) -> dict[str, float]:
        """Validation metrics, with the callbacks' test hooks around; none where nothing is held out."""
        if self.validation is None:
            return {}
        with self.state.evaluated_weights():
            self.callbacks.on_test_begin()
            # Keras's bar has its line open.
            options: dict[str, Any] = {"logs_batches": self.logs_test_batches, "is_shown": self.verbose != 1}
            means = self.evaluator(self.validation, self.opened.num_examples["validation"], self.callbacks, **options)
            self.callbacks.on_test_end(means)
        return means

    def _set_callback_params(self, epoch: int) -> None:
        """Set what Keras tells callbacks, and beyond that the epoch's first step and the steps of the run."""
        first_step = self.epochs.first_step(epoch)
        params = {"verbose": self.verbose, "epochs": self.epochs.count, "total_steps": self.epochs.total_steps}
        params |= {"first_step": first_step, "steps": self.epochs.last_step(epoch) - first_step}
        self.callbacks.set_params(params)

    def _interrupt(self) -> NoReturn:
        policy.check_weights(self.state.model)  # those of a sound checkpoint are not to be lost
        self.state.checkpoint()
        if self.verbose:
            print()  # the progress bar has left its line open
        reached = f"step {self.progress.step} of {self.epochs.total_steps}"
        raise errors.InterruptedRunError(f"interrupted; {reached} is saved; run the same command again to resume")
