"""Losses and accuracies of one or two heads, as sums over a batch: sums of any batches add up to exact means."""

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from models.config.training import TrainConfig
from pipeline.common import errors
from pipeline.datasets.description import Classes

Batch = Mapping[str, tf.Tensor]
# Each mean, and the head that it needs ("" for either).
HEAD_OF = {
    "loss": "",
    "fine_loss": "fine",
    "coarse_loss": "coarse",
    "fine_accuracy": "fine",
    "coarse_accuracy": "coarse",
    "coarse_from_fine_accuracy": "fine",
}
METRICS = tuple(HEAD_OF)
BALANCED = {"fine": "fine_balanced_accuracy", "coarse": "coarse_balanced_accuracy"}  # of an evaluation, by label
EVALUATED = (*METRICS, *BALANCED.values())
TOTALS = ("examples", *METRICS)  # the order of a vector of sums; what a single-headed model cannot answer stays 0 in it


def objective(
    config: TrainConfig, logits: Batch, labels: Batch, class_weights: Mapping[str, np.ndarray] | None = None
) -> tf.Tensor:
    """float32 [B]: what training minimizes for each image, the heads' smoothed cross-entropies weighted and added.

    Of each head, logits are float32 [B, classes] and labels int32 [B], or float32 [B, classes] rows that sum to 1 where
    images were blended. `class_weights`, float32 [classes] of each head, multiply the losses of the classes' images.
    """
    weight = _loss_weights(config)
    smoothing = {name: config.head(name).label_smoothing for name in logits}
    losses = {name: _cross_entropy(one, labels[name], smoothing[name]) for name, one in logits.items()}
    if class_weights:
        losses = {name: loss * _weight_of(labels[name], class_weights[name]) for name, loss in losses.items()}
    return tf.add_n([weight[name] * loss for name, loss in losses.items()])


def balanced_weights(counts: np.ndarray) -> np.ndarray:
    """float32 [classes]: the weights of classes with these numbers of training images; their mean over images is 1.

    N / (classes x count), as scikit-learn's `class_weight="balanced"` (King and Zeng 2001); a class without images has
    no loss, and weight 1.
    """
    num_classes = np.count_nonzero(counts)
    return np.where(counts > 0, counts.sum() / (num_classes * np.maximum(counts, 1)), 1.0).astype(np.float32)


def _weight_of(labels: tf.Tensor, weights: np.ndarray) -> tf.Tensor:
    """float32 [B]: the weights of the images' classes, mixed as the labels are."""
    if _are_blended(labels):
        return tf.linalg.matvec(labels, tf.constant(weights))
    return tf.gather(tf.constant(weights), labels)


def guessing_loss(config: TrainConfig, classes: Classes) -> float:
    """The objective where all classes of each head are equally probable, whatever the labels."""
    weight = _loss_weights(config)
    return sum(weight[name] * math.log(classes.counts[name]) for name in config.head_names)


def metric_totals(config: TrainConfig, classes: Classes, logits: Batch, batch: Batch) -> tf.Tensor:
    """float64 [len(TOTALS)]: over the batch's images, those whose `mask` is False left out.

    `loss` is the objective, smoothing included; `fine_loss` and `coarse_loss` are plain cross-entropies. A blended
    image counts as the class that most of it is.
    """
    per_image = {"loss": objective(config, logits, batch)}
    per_image["examples"] = tf.ones_like(per_image["loss"])
    for name in logits:
        per_image[f"{name}_loss"] = _cross_entropy(logits[name], batch[name], 0.0)
        per_image[f"{name}_accuracy"] = _hits(logits[name], batch[name])
    if "fine" in logits and classes.coarse:
        per_image["coarse_from_fine_accuracy"] = _hits(coarse_from_fine(logits["fine"], classes), batch["coarse"])
    missing = tf.zeros_like(per_image["loss"])
    table = tf.stack([per_image.get(name, missing) for name in TOTALS])
    if "mask" in batch:
        table = tf.where(batch["mask"], table, 0.0)
    return tf.reduce_sum(tf.cast(table, tf.float64), axis=1)


def coarse_source(config: TrainConfig) -> str:
    """The source of the model's coarse prediction, "head" or "summed"; a single head leaves no choice.

    It says nothing where the data set has one level of labels.
    """
    return config.get("coarse_source", {"fine": "summed", "coarse": "head"}.get(config.heads))


def confusion(config: TrainConfig, classes: Classes, level: str, logits: Batch, batch: Batch) -> tf.Tensor:
    """Confusion counts, int64 [classes, classes], of a level of labels; padding (`mask` False) is ignored.

    Rows are the true classes, int32 [B] in `batch`, columns the predicted ones; the coarse prediction is the model's
    own. Logits are float32 [B, classes] of each head; `mask`, bool [B], is there where batches are padded.
    """
    weights = tf.cast(batch["mask"], tf.int64) if "mask" in batch else None
    predicted = predictions(config, classes, level, logits)
    return tf.math.confusion_matrix(batch[level], predicted, classes.counts[level], weights, tf.int64)


def predictions(config: TrainConfig, classes: Classes, level: str, logits: Batch) -> tf.Tensor:
    """int64 [B]: the predicted classes of a level of labels, from float32 [B, classes] logits of each head.

    The coarse prediction is the model's own (`coarse_source`).
    """
    if level == "coarse" and coarse_source(config) == "summed":
        return tf.argmax(coarse_from_fine(logits["fine"], classes), axis=1)
    return tf.argmax(logits[level], axis=1)


def names(heads: str, classes: Classes) -> list[str]:
    """The metrics of a model with these heads ("both", "fine", "coarse") on a data set of these classes."""
    summed = "coarse_from_fine_accuracy"
    return [
        name
        for name, head in HEAD_OF.items()
        if (heads == "both" or head in ("", heads)) and (classes.coarse or name != summed)
    ]


def means(vector: tf.Tensor, heads: str, classes: Classes) -> dict[str, float]:
    """A vector of sums -> the means that `names` lists; none of no example.

    Raises:
      errors.DivergedError: a mean is not a finite number.
    """
    num_examples, *totals = (float(value) for value in vector)
    if not num_examples:
        return {}
    by_name = {name: total / num_examples for name, total in zip(METRICS, totals, strict=True)}
    by_name = {name: by_name[name] for name in names(heads, classes)}
    for name, value in by_name.items():
        if not math.isfinite(value):
            raise errors.DivergedError(f"{name} is {value}, expected a number: training has diverged")
    return by_name


def balanced_accuracy(confusion: np.ndarray) -> float:
    """The mean over the classes of the share of their examples that is predicted, of classes that have examples.

    `confusion`, int [classes, classes], has the true classes in rows (Brodersen et al. 2010, "The balanced accuracy and
    its posterior distribution").
    """
    totals = confusion.sum(axis=1)
    return float(np.mean(np.diag(confusion)[totals > 0] / totals[totals > 0]))


def coarse_from_fine(fine_logits: tf.Tensor, classes: Classes) -> tf.Tensor:
    """float32 [B, classes] logits -> [B, superclasses] probabilities: those of a superclass's classes, summed."""
    return tf.nn.softmax(fine_logits) @ tf.one_hot(classes.fine_to_coarse, len(classes.coarse))


def _loss_weights(config: TrainConfig) -> dict[str, float]:
    # A single head's loss counts fully: a weight would only rescale the learning rate.
    return {"fine": 1.0, "coarse": config.get("coarse_loss_weight", 1.0)}


def _cross_entropy(logits: tf.Tensor, labels: tf.Tensor, smoothing: float) -> tf.Tensor:
    num_classes = logits.shape[-1]
    off = smoothing / num_classes
    if _are_blended(labels):
        return tf.nn.softmax_cross_entropy_with_logits(labels * (1.0 - smoothing) + off, logits)
    if not smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    targets = tf.one_hot(labels, num_classes, on_value=1.0 - smoothing + off, off_value=off)
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)


def _hits(scores: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    if _are_blended(labels):
        labels = tf.argmax(labels, axis=1, output_type=tf.int32)
    return tf.cast(tf.argmax(scores, axis=1, output_type=tf.int32) == labels, tf.float32)


def _are_blended(labels: tf.Tensor) -> bool:
    """Whether each label is a row of shares instead of a number."""
    return len(labels.shape) == 2
