"""Logs trials for TensorBoard's HParams page: `tensorboard --logdir=SESSION/tensorboard`."""

import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api

FIGURES = ("objective", "fine", "coarse")


def write(folder: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Log a completed trial: its hyperparameters, and its accuracies at its last epoch.

    Raises:
      OSError: the log cannot be written.
    """
    try:
        writer = tf.summary.create_file_writer(str(folder / record["id"]))
        with writer.as_default():
            api.hparams(dict(record["hyperparameters"]), trial_id=record["id"])
            for name in FIGURES:
                if record[name] is not None:
                    tf.summary.scalar(name, record[name], step=round(record["epochs"]))
        writer.close()
    except tf.errors.OpError as error:
        raise OSError(0, error.message) from error
