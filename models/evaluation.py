"""Evaluation: every example of a split exactly once, and the count is checked."""

import keras
import tensorflow as tf

from models import metrics
from models.reporting import report
from models.run_folder import RunFolder
from models.train_config import TrainConfig
from pipeline import batches, config, source, split
from pipeline.data_config import DataConfig


class Evaluator:
    """Evaluates a model on padded, masked batches (`pipeline.batches.eval_batches`), with one trace for all calls.

    Args:
      model: answers logits for images.
      train: its heads and losses.
      flip_average: whether the logits of each image and of its mirror image are averaged; else a single view.
    """

    def __init__(self, model: keras.Model, train: TrainConfig, *, flip_average: bool = False) -> None:
        self._heads = train.heads
        self._sums = tf.Variable(tf.zeros(len(metrics.SUMS), tf.float64), trainable=False)

        @tf.function(reduce_retracing=True)
        def add_batch(batch: dict[str, tf.Tensor]) -> None:
            logits = model(batch["image"], training=False)
            if flip_average:
                mirrored = model(tf.reverse(batch["image"], [2]), training=False)
                logits = {name: (logits[name] + mirrored[name]) / 2.0 for name in logits}
            self._sums.assign_add(metrics.sums(train, logits, batch))

        self._add_batch = add_batch

    def __call__(self, stream: tf.data.Dataset, num_expected: int) -> dict[str, float]:
        """The mean losses and accuracies.

        Raises:
          RuntimeError: the batches held more or fewer examples than `num_expected`.
        """
        self._sums.assign(tf.zeros_like(self._sums))
        for batch in stream:
            self._add_batch(batch)
        num_examples = int(self._sums[metrics.SUMS.index("examples")])
        if num_examples != num_expected:
            raise RuntimeError(f"evaluated {num_examples} examples, expected {num_expected}")
        return metrics.means(self._sums, self._heads)


def evaluate_run(run: RunFolder, split_name: str, data_dir: str = "") -> None:
    """Evaluate a finished run's model on "validation" or "test"; its report gets the new figures, times stay.

    The figures are of a single view; accuracies averaged over an image and its mirror image have keys of their own.

    Args:
      run: the run's folder.
      split_name: "validation", as it was held out when the run was trained, or "test".
      data_dir: folder of prepared data sets; "" is the one that the run was trained from.

    Raises:
      errors.FailedError: the run has not ended, or its data set is not prepared in `data_dir`.
      errors.BadArgumentError: the folder is no run's, or nothing was held out for validation.
    """
    run.refuse_unfinished()
    saved = run.config()
    data = config.build(DataConfig, saved, {"data_dir": data_dir} if data_dir else {})
    builder = source.open_builder(data)
    num_examples = split.size(data, builder, split_name)
    stream = batches.eval_batches(data, builder, split_name)
    with run.locked():
        model, train = run.load_model(), config.build(TrainConfig, saved)
        means = Evaluator(model, train)(stream, num_examples)
        averaged = Evaluator(model, train, flip_average=True)(stream, num_examples)
        evaluated = report.evaluated(split_name, num_examples, means)
        run.write_report({**run.report(), **evaluated, **report.flip_averaged(averaged)})
