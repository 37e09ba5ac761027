"""A finished run's classifier: decoded images of any size in, predictions and probabilities out."""

import dataclasses
import shlex
import sys
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from models import metrics
from models.prediction.probabilities import add_probabilities
from models.runs.folder import RunFolder
from models.runtime import global_settings
from pipeline.common import progress
from pipeline.datasets import resizing


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Of N images, by level of labels: the predicted classes, int64 [N], and all probabilities, float32 [N, classes].

    A predicted class is the most probable one. Of a head it is the one that `models.evaluate` counts, also where
    rounding makes probabilities equal. Of summed superclasses it is the one with the temperature, as in an export;
    `models.evaluate` counts the one without.
    """

    predicted: Mapping[str, np.ndarray]
    probabilities: Mapping[str, np.ndarray]


class Predictor:
    """The classifier of a finished run. Every call has one shape, so that the graph is traced once.

    Attributes:
      config: of the run.
      classes: of its data set.
      channel_means: of its training images, 0 to 255.
      image_size: pixels each way of its data set's images.
      input_size: pixels each way of the images that it takes.
      levels: of labels that it predicts, of "fine" and "coarse".
      batch_size: images of a call.
      model: images -> logits, as the run saved it.
      call: of its graph: images of a whole batch -> predicted classes and probabilities by level.
    """

    @global_settings.defaults()
    def __init__(self, run: RunFolder, batch_size: int) -> None:
        data, self.config = run.configs()
        description = run.description()
        self.classes, self.channel_means = description.classes, description.channel_means
        self.image_size = description.image_size
        self.input_size, self.batch_size = data.input_size(self.image_size), batch_size
        with progress.task(f"loading {run.model}"):
            self.model = run.load_model()
        outputs = add_probabilities(self.model, self.config, self.classes, _temperatures(run)).output
        self.levels = tuple(outputs)
        both = keras.Model(self.model.inputs[0], (self.model.output, outputs))
        is_summed = "coarse" in outputs and metrics.coarse_source(self.config) == "summed"

        @tf.function(autograph=False)
        def call(images: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
            logits, probabilities = both(images, training=False)
            scores = {**logits, "coarse": probabilities["coarse"]} if is_summed else logits
            return {level: tf.argmax(scores[level], axis=1) for level in outputs}, probabilities

        self.call = call

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """An image, uint8 [H, W, 3] -> the part of it that the network takes, uint8 [S, S, 3], S the `input_size`.

        It is resized as `pipeline.prepare` does, and cropped as an evaluation does.
        """
        return resizing.center_crop(resizing.resize(pixels, self.image_size), self.input_size)

    @global_settings.defaults()
    def __call__(self, images: np.ndarray) -> Predictions:
        """The predictions of at most `batch_size` prepared images, uint8 [N, S, S, 3]."""
        count = len(images)
        if count < self.batch_size:
            images = np.pad(images, [(0, self.batch_size - count), (0, 0), (0, 0), (0, 0)])
        outputs = self.call(tf.constant(images))
        return Predictions(*({level: values.numpy()[:count] for level, values in part.items()} for part in outputs))


def _temperatures(run: RunFolder) -> Mapping[str, float]:
    """The temperatures of a run; where none was fitted, {}, and a line on stderr says so."""
    if temperatures := run.temperatures():
        return temperatures
    remedy = f"python -m models.evaluate --run_dir={shlex.quote(str(run.path))} --split=validation fits them"
    if not run.report()["num_validation"]:
        remedy = "nothing was held out for validation, on which temperatures are fitted"
    print(f"run_dir={run.path}: the probabilities are not calibrated; {remedy}", file=sys.stderr)
    return {}
