"""A classifier that returns probabilities instead of logits; what is added are Keras's own layers, for exports."""

from collections.abc import Mapping

import keras
import numpy as np

from models import metrics
from models.config.training import TrainConfig
from models.runtime import global_settings
from pipeline.datasets.description import Classes

SUMMED = "coarse_from_fine"  # the temperature of fine logits whose probabilities are summed by superclass


@global_settings.defaults()
def add_probabilities(
    model: keras.Model, config: TrainConfig, classes: Classes, temperatures: Mapping[str, float] | None = None
) -> keras.Model:
    """A model of the same input and weights, with float32 probabilities as outputs.

    They are {"fine": [B, classes], "coarse": [B, superclasses]}: "fine" of a fine head, and "coarse" of two levels of
    labels, from the source that is the model's own (`metrics.coarse_source`).

    Args:
      model: a classifier, images -> float32 logits {"fine": [B, classes], "coarse": [B, superclasses]} or one of them.
      config: of the run that trained it.
      classes: of the data set that it was trained on.
      temperatures: by "fine", "coarse" and "coarse_from_fine", what logits are divided by before the softmax (Guo et
        al. 2017, "On Calibration of Modern Neural Networks"); a missing one is 1.
    """
    temperatures = temperatures or {}
    logits = dict(zip(config.head_names, model.outputs, strict=True)) if len(model.outputs) == 1 else model.output
    outputs = {}
    if "fine" in logits:
        outputs["fine"] = _softmax(logits["fine"], temperatures.get("fine", 1.0), "fine")
    if classes.coarse and metrics.coarse_source(config) == "summed":
        fine = _softmax(logits["fine"], temperatures.get(SUMMED, 1.0), SUMMED)
        outputs["coarse"] = _sum_by_superclass(fine, classes)
    elif classes.coarse:
        outputs["coarse"] = _softmax(logits["coarse"], temperatures.get("coarse", 1.0), "coarse")
    return keras.Model(model.inputs[0], outputs, name=f"{model.name}_probabilities")


def _softmax(logits: keras.KerasTensor, temperature: float, name: str) -> keras.KerasTensor:
    if temperature != 1.0:
        logits = keras.layers.Rescaling(1.0 / temperature, dtype="float32", name=f"{name}_temperature")(logits)
    return keras.layers.Softmax(dtype="float32", name=f"{name}_probabilities")(logits)


def _sum_by_superclass(fine: keras.KerasTensor, classes: Classes) -> keras.KerasTensor:
    """[B, classes] -> [B, superclasses]: a product with the matrix of which class is in which superclass."""
    layer = keras.layers.Dense(
        len(classes.coarse), use_bias=False, trainable=False, dtype="float32", name="sum_by_superclass"
    )
    summed = layer(fine)
    layer.set_weights([np.eye(len(classes.coarse), dtype=np.float32)[list(classes.fine_to_coarse)]])
    return summed
