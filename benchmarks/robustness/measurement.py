"""Measures a trained run on the test split: clean, under every corruption, and against out-of-distribution images."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.harness.results import Row
from benchmarks.robustness import detection, outliers, rows, stream
from models import metrics
from models.runs.folder import RunFolder
from models.runtime import global_settings
from models.training.evaluation import Evaluator, compare_records
from pipeline.batches import EVAL_BATCH_SIZE, OpenedData
from pipeline.common import progress
from pipeline.data_config import DataConfig
from pipeline.datasets import resizing


class Measurement:
    """A run's model and the first `num_images` images of the test split, in the order of the prepared records.

    That order follows from a hash of the images, so that the first ones are a sample of all.

    Attributes:
      evaluated_records: whether they are those that the run was trained on, as in its report.
    """

    @global_settings.defaults()
    def __init__(self, run: RunFolder, data: DataConfig, num_images: int) -> None:
        self._opened = OpenedData(data.replace(cache="none"))  # decoding is quick, and memory stays flat
        self.evaluated_records = compare_records(run, self._opened, "test")
        _, self._train = run.configs()
        self._classes = self._opened.description.classes
        self._num_images = num_images
        with progress.task(f"loading {run.model}"):
            self._model = run.load_model()
        self._evaluate = Evaluator(self._model, self._train, self._classes)
        self._logits_of = tf.function(self._logits, reduce_retracing=True)

    def accuracies(self, names: Sequence[str], severities: Sequence[int]) -> Iterator[Row]:
        """The rows of the clean images, of each corruption at each severity, and of their means."""
        cases: list[tuple[str, int]] = [("", 0), *itertools.product(names, severities)]
        measured: dict[tuple[str, int], dict[str, float]] = {}
        label = "evaluating on corrupted images of test"
        with self._opened.reading(), progress.task(label, len(cases) * self._num_images, "images") as task:
            for name, severity in cases:
                images = stream.corrupted(self._test(), name, severity) if name else self._test()
                measured[name, severity] = self._accuracies(images)
                yield from rows.accuracies(name, severity, measured[name, severity], self._num_images)
                task.advance(self._num_images)
        yield from rows.means(measured, self._num_images)

    @global_settings.defaults()
    def _accuracies(self, images: tf.data.Dataset) -> dict[str, float]:
        """The accuracy, 0 to 1, of each level of labels; the coarse one is that of the model's own prediction."""
        means = self._evaluate(images, self._num_images, is_shown=False)
        summed = metrics.coarse_source(self._train) == "summed"
        names = {"fine": "fine_accuracy", "coarse": "coarse_from_fine_accuracy" if summed else "coarse_accuracy"}
        return {level: means[name] for level, name in names.items() if name in means}

    def detections(self, names: Sequence[str]) -> Iterator[Row]:
        """The rows of out-of-distribution detection against the images of each of --ood."""
        if not names:
            return
        with self._opened.reading():
            inside = self._scores(self._test(), "test", self._num_images)
        for name in names:
            images = outliers.read(name, self._opened.description.image_size, self._num_images)
            cropped = (resizing.center_crop(image, self._opened.input_size) for image in images)
            shown = outliers.shown_name(name)
            outside = self._scores(_batches(cropped), shown, self._num_images)
            for score, values in outside.items():
                yield from rows.detection_rows(shown, score, inside[score], values)

    @global_settings.defaults()
    def _scores(self, batches: Iterable[Mapping[str, Any]], label: str, total: int) -> dict[str, np.ndarray]:
        """The scores, [N], of the images that are not padding."""
        scores: dict[str, list[np.ndarray]] = {name: [] for name in detection.SCORES}
        with progress.task(f"scoring the images of {label}", total, "images") as task:
            for batch in batches:
                mask = np.asarray(batch["mask"])
                logits = self._logits_of(batch["image"]).numpy()[mask]
                for name, score in detection.SCORES.items():
                    scores[name].append(score(logits))
                task.advance(int(mask.sum()))
        return {name: np.concatenate(values) for name, values in scores.items()}

    def _logits(self, images: tf.Tensor) -> tf.Tensor:
        logits = self._model(images, training=False)
        return logits[self._train.head_names[0]]  # fine, unless the run has a coarse head alone

    def _test(self) -> tf.data.Dataset:
        return stream.limited(self._opened.evaluation("test"), self._num_images, EVAL_BATCH_SIZE)


def _batches(images: outliers.Images) -> Iterator[dict[str, np.ndarray]]:
    """Padded batches of one shape, for one trace."""
    while chunk := list(itertools.islice(images, EVAL_BATCH_SIZE)):
        padding = [np.zeros_like(chunk[0])] * (EVAL_BATCH_SIZE - len(chunk))
        yield {"image": np.stack(chunk + padding), "mask": np.arange(EVAL_BATCH_SIZE) < len(chunk)}
