"""Evaluation: every example of a split exactly once, and the count is checked."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from models import metrics
from models.config.training import TrainConfig
from models.reporting import calibration, comparison, confusion, figures, mistakes, report
from models.runs.folder import RunFolder
from models.runtime import global_settings
from models.runtime.replicas import Replicas
from models.training import collection, preconditions
from pipeline.batches import EVAL_BATCH_SIZE, OpenedData
from pipeline.common import errors, progress
from pipeline.data_config import DataConfig
from pipeline.datasets.description import Classes

Watch: TypeAlias = Callable[[collection.Batch, collection.Batch], None]
MAX_CONFUSED = 1000  # classes; the matrix of 10,000 would take 800 MB


class Evaluator:
    """Evaluates a model on padded, masked batches (`OpenedData.evaluation`), with one trace for all calls.

    The model maps images to logits; `flip_average` averages those of each image and of its mirror image. `replicas`
    take the batches in turns; of several, nothing can `watch`.
    """

    def __init__(
        self,
        model: keras.Model,
        train: TrainConfig,
        classes: Classes,
        *,
        flip_average: bool = False,
        replicas: Replicas | None = None,
    ) -> None:
        self._heads, self._classes, self._replicas = train.heads, classes, replicas or Replicas()
        self._totals = tf.Variable(tf.zeros(len(metrics.TOTALS), tf.float64), trainable=False)
        self._confusions = {
            name: tf.Variable(tf.zeros((num_classes, num_classes), tf.int64), trainable=False)
            for name, num_classes in classes.counts.items()
            if name in (*train.head_names, "coarse")  # which a fine head predicts too
            and num_classes <= MAX_CONFUSED
        }

        def evaluated(group: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
            batch = self._replicas.own(group)
            logits = model(batch["image"], training=False)
            if flip_average:
                mirrored = model(tf.reverse(batch["image"], [2]), training=False)
                logits = {name: (logits[name] + mirrored[name]) / 2.0 for name in logits}
            confusions = {name: metrics.confusion(train, classes, name, logits, batch) for name in self._confusions}
            return metrics.metric_totals(train, classes, logits, batch), confusions, logits

        @tf.function(reduce_retracing=True, autograph=False)
        def add_batch(group: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            results = self._replicas.run(evaluated, group)
            for totals, confusions, _ in results:
                self._totals.assign_add(totals)
                for name, counts in confusions.items():
                    self._confusions[name].assign_add(counts)
            _, _, logits = results[0]
            return logits

        self._add_batch = add_batch

    def __call__(
        self,
        stream: tf.data.Dataset,
        num_expected: int,
        callbacks: keras.callbacks.CallbackList | None = None,
        *,
        logs_batches: bool = False,
        label: str = "evaluating on validation",
        is_shown: bool = True,
        watch: Watch = lambda batch, logits: None,
    ) -> dict[str, float]:
        """The losses and accuracies of a stream, balanced ones included.

        RuntimeError if it holds other than `num_expected` examples. Calls the callbacks' hooks for each batch, with
        `logs_batches` with the means so far. `label` is that of its progress, which is not shown where Keras's bar has
        its line open. `watch` gets each batch, and its logits by head.
        """
        callbacks = callbacks or keras.callbacks.CallbackList()
        for variable in (self._totals, *self._confusions.values()):
            variable.assign(tf.zeros_like(variable))
        with progress.task(label, num_expected, "images", is_shown=is_shown) as task:
            for number, batch in enumerate(self._replicas.shared(stream)):
                callbacks.on_test_batch_begin(number)
                watch(batch, self._add_batch(batch))
                callbacks.on_test_batch_end(number, self._means() if logs_batches else {})
                task.advance(EVAL_BATCH_SIZE * self._replicas.count)
        for variable in (self._totals, *self._confusions.values()):
            variable.assign(self._replicas.sum_of_workers(variable.numpy()))
        num_examples = int(self._totals[metrics.TOTALS.index("examples")])
        if num_examples != num_expected:
            raise RuntimeError(f"evaluated {num_examples} examples, expected {num_expected}")
        confusions = self.confusions
        for name, counts in confusions.items():
            if counts.sum() != num_expected:
                raise RuntimeError(f"the {name} confusions hold {counts.sum()} examples, expected {num_expected}")
        balanced = {metrics.BALANCED[name]: metrics.balanced_accuracy(counts) for name, counts in confusions.items()}
        return {**self._means(), **(balanced if num_expected else {})}

    def _means(self) -> dict[str, float]:
        return metrics.means(self._totals, self._heads, self._classes)

    @property
    def confusions(self) -> dict[str, np.ndarray]:
        """The confusion matrices of the last call, int64 [classes, classes] by label: `metrics.confusion`."""
        return {name: counts.numpy() for name, counts in self._confusions.items()}


def evaluate_run(
    run: RunFolder, split_name: str, data_dir: str = "", show: Callable[[dict[str, Any]], None] = lambda report: None
) -> dict[str, Any]:
    """Evaluate a finished run's model on "validation" or "test" and write the metrics to its report, which is returned.

    Metrics are of a single view; accuracies averaged with the mirror image have separate keys. The last metrics of each
    split stay in the report under `evaluations`. Beside it, `confusion.json` has confusion matrices, `mistakes.json`
    the most confident mistakes, `predictions.json` the predicted classes, and `calibration.json` measures of the
    probabilities, with the temperatures that the last evaluation on validation fitted. `data_dir` is a folder of
    prepared data sets, "" the one that the run was trained from, or the default one where that is gone. Nothing is
    written to a folder that can only be read. `show` gets the report before it is written, which a full disk prevents.

    Raises:
      errors.FailedError: the run has not ended, or its data set is not prepared in `data_dir`.
      errors.BadArgumentError: the folder holds no run, nothing was held out for validation, or the records are others
        than the run was trained on, so that some of them may have trained it; on "test" the report records that.
    """
    return evaluate_splits(run, [split_name], data_dir, show)


@global_settings.defaults()
def evaluate_splits(
    run: RunFolder,
    split_names: Sequence[str],
    data_dir: str = "",
    show: Callable[[dict[str, Any]], None] = lambda report: None,
) -> dict[str, Any]:
    """As `evaluate_run`, on one split after the other; `show` gets the report with the last one's metrics."""
    opened = OpenedData([preconditions.evaluated_data(run, name, data_dir) for name in split_names][-1])
    records = {name: compare_records(run, opened, name) for name in split_names}
    _, train = run.configs()
    with run.locked() if run.read_only_reason is None else contextlib.nullcontext():
        former = _former_calibration(run, split_names)
        with progress.task(f"loading {run.model}"):
            model = run.load_model()
        evaluators = [Evaluator(model, train, opened.description.classes, flip_average=flip) for flip in (False, True)]
        for name in split_names:
            evaluation = _evaluation(name, opened, train, evaluators, former)
            former = evaluation.documents["calibration"]
            evaluated = report.evaluated(name, opened.num_examples[name], evaluation.means, records[name])
            evaluated |= report.flip_averaged(evaluation.flip_averaged)
            again = report.evaluated_again(run.report(), evaluated, calibration.summary(former, name))
            if name == split_names[-1]:
                show(again)
            if run.read_only_reason is None:
                for file, document in evaluation.documents.items():
                    run.write_evaluated(file, document)
                run.write_report(again)
        return again


@dataclasses.dataclass(frozen=True)
class _Evaluation:
    """What an evaluation finds: metrics, and the contents of files by their names in `folder.EVALUATED`."""

    means: dict[str, float]
    flip_averaged: dict[str, float]
    documents: dict[str, dict[str, Any]]


def _evaluation(
    split_name: str,
    opened: OpenedData,
    train: TrainConfig,
    evaluators: Sequence[Evaluator],
    former: Mapping[str, Any] | None,
) -> _Evaluation:
    """Evaluate a split of single views and averaged with mirror images; `former` is the `calibration.json` before."""
    single_view, flip_averaging = evaluators
    classes, num_examples = opened.description.classes, opened.num_examples[split_name]
    stream = opened.evaluation(split_name)
    collected = collection.Logits(train, classes, num_examples)
    with opened.reading():
        label = f"evaluating on {split_name}"
        means = single_view(stream, num_examples, label=label, watch=collected.add)
        with progress.task(f"measuring the probabilities on {split_name}"):
            answers = calibration.answers(collected.logits, collected.labels, classes)
            calibrated = calibration.document(former, split_name, answers, classes)
            level = "fine" if "fine" in answers else "coarse"
            temperature = calibrated["temperatures"].get(level, 1.0)
            confident = mistakes.most_confident(answers[level], temperature, stride=collected.stride)
        shown = collection.Images([one.index for one in confident])
        averaged = flip_averaging(stream, num_examples, label=f"{label} with mirror images", watch=shown.add)
    source, counts = metrics.coarse_source(train) if classes.coarse else None, single_view.confusions
    documents = {"confusion": confusion.document(split_name, source, classes, counts)} if counts else {}
    documents |= {
        "calibration": calibrated,
        "mistakes": mistakes.document(split_name, level, classes.names[level], confident, shown.images),
        "predictions": comparison.document(split_name, opened.fingerprints.records, answers, source),
    }
    return _Evaluation(means, averaged, documents)


def _former_calibration(run: RunFolder, split_names: Sequence[str]) -> dict[str, Any] | None:
    """The content of `calibration.json`; None where it is missing, or damaged and this evaluation writes it anew."""
    try:
        return run.evaluated("calibration")
    except errors.DamagedError:
        if "validation" not in split_names and run.report()["num_validation"]:
            raise
        return None


def compare_records(run: RunFolder, opened: OpenedData, split_name: str) -> str:
    """Whether the opened records are those that the run was trained on, as in its report."""
    recorded = run.report().get("fingerprints")
    if recorded and recorded["records"] == opened.fingerprints.records:
        return figures.SAME_RECORDS
    if split_name == "validation":
        reason = "on other records than those" if recorded else "by an earlier version, on images that are held out"
        raise errors.BadArgumentError(
            f"run_dir={run.path}: trained {reason} in data_dir={opened.config.data_dir}; use --split=test"
            + (", or the --data_dir that it was trained on, unless --refresh has replaced it" if recorded else "")
        )
    return figures.OTHER_RECORDS if recorded else figures.UNKNOWN_RECORDS


def warn_of_other_records(records: str, data: DataConfig) -> None:
    """Say on stderr where the records of "test" are others than the run's, as `compare_records` has found."""
    if records == figures.OTHER_RECORDS:
        warning = f"{data.shown_name} has OTHER records than the run was trained on; some of test may have trained it"
        print(f"warning: data_dir={data.data_dir}: {warning}", file=sys.stderr)
